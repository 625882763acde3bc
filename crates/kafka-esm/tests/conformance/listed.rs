//! The list itself: every case has its row in `CONFORMANCE.md`, every row names tests that there are, and every test that
//! is named for a case stands in its row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const LIST: &str = include_str!("../../CONFORMANCE.md");
const CASES: u8 = 58;

/// `c07_c17_…` of a name.
fn cases_of(name: &str) -> BTreeSet<u8> {
    let number = |part: &str| (part.len() == 3).then(|| part.strip_prefix('c')?.parse().ok()).flatten();
    name.split('_').map_while(number).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every test of a case, by name, with its cases.
fn tests() -> BTreeMap<String, BTreeSet<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "tests", "../../local/tests/e2e/esm"] {
        files(&here.join(folder), &mut found);
    }
    let texts = found.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let names = texts.flat_map(|text| tests_of(&text));
    names.map(|name| (name.clone(), cases_of(&name))).filter(|(_, cases)| !cases.is_empty()).collect()
}

/// The functions that a file runs as tests: one of a case that has lost its attribute shows nothing.
fn tests_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        match signature.and_then(|rest| rest.split_once('(')) {
            Some((name, _)) => {
                names.extend(is_test.then(|| name.to_owned()));
                is_test = false;
            }
            // Other attributes, such as `#[ignore]`, may stand between.
            None => {
                is_test = line.starts_with("#[test]")
                    || line.starts_with("#[tokio::test")
                    || (is_test && line.starts_with("#["))
            }
        }
    }
    names
}

#[test]
fn a_function_is_a_test_only_below_its_attribute() {
    let text = "#[test]\nfn c01_a() {}\nfn c02_b() {}\n#[tokio::test(flavor = \"x\")]\n#[ignore = \"y\"]\nasync fn c03_c() {\n\
                #[test]\nlet x = 1;\nfn c04_d() {}";
    assert_eq!(tests_of(text), ["c01_a", "c03_c"]);
}

/// The rows: a case, and the tests that it names.
fn rows() -> BTreeMap<u8, BTreeSet<String>> {
    let rows = LIST.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| C")?.split(" | ");
        let number = cells.next()?.trim().parse().ok()?;
        let tests = cells.nth(1)?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((number, tests))
    });
    rows.collect()
}

#[test]
fn every_case_is_listed_with_tests_that_there_are() {
    let (rows, tests) = (rows(), tests());
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=CASES).collect::<Vec<_>>());
    for (case, named) in &rows {
        assert!(!named.is_empty(), "C{case:02} has no test");
        for name in named {
            assert!(tests.get(name).is_some_and(|cases| cases.contains(case)), "C{case:02}: there is no test {name}");
        }
    }
    for (name, cases) in &tests {
        for case in cases {
            assert!(rows.get(case).is_some_and(|named| named.contains(name)), "C{case:02} does not name {name}");
        }
    }
}
