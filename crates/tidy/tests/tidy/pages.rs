//! The pages: short enough to be read, and every file they name is there; the same of the heads of sources.

use std::path::Path;

use crate::tree::{Source, report, root, sources};

/// How long a page may be, for the two that everybody reads.
const LINES_MAX: [(&str, usize); 2] = [("README.md", 100), ("ARCHITECTURE.md", 150)];

/// What a path within backticks starts with when it is one of ours.
const FOLDERS: [&str; 6] = ["crates/", "docs/", "events/", "functions/", "infra/", "local/"];

/// Pages that are somebody else's, kept as they came.
const SEEDS: &str = "seeds/";

fn pages() -> impl Iterator<Item = Source> {
    sources("", ".md").into_iter().filter(|page| !page.path.starts_with(SEEDS))
}

/// The lines of a page outside fenced code, with their numbers.
fn prose(page: &Source) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    (1..).zip(page.text.lines()).filter(move |(_number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

#[test]
fn the_first_pages_can_be_taken_in_at_a_glance() {
    let mut faults = Vec::new();
    for (path, lines_max) in LINES_MAX {
        let lines = Source::at(path).text.lines().count();
        if lines > lines_max {
            faults.push(format!("{path}: {lines} lines, at most {lines_max}"));
        }
    }
    report("README and ARCHITECTURE are short; the rest lives in docs/.", &faults);
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut faults = Vec::new();
    for page in pages() {
        for (number, line) in prose(&page) {
            for target in links(line) {
                if let Some(fault) = broken(&page, target) {
                    faults.push(format!("{}:{number}: ({target}) {fault}", page.path));
                }
            }
        }
    }
    report("Every relative link of a page leads to a file, and every anchor to a heading.", &faults);
}

/// The targets of `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _rest)| target)
}

fn broken(page: &Source, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let folder = Path::new(&page.path).parent().unwrap();
    let file = if path.is_empty() { root().join(&page.path) } else { root().join(folder).join(path) };
    if !file.exists() {
        return Some("is not there");
    }
    let anchor = anchor.filter(|_anchor| file.extension().is_some_and(|ending| ending == "md"))?;
    let text = std::fs::read_to_string(&file).unwrap();
    let found = text.lines().filter(|line| line.starts_with('#')).any(|heading| slug(heading) == anchor);
    if found { None } else { Some("names no heading of that page") }
}

/// The anchor that a heading gets: lower case, blanks to hyphens, other signs dropped.
fn slug(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
    kept.map(|one| if one == ' ' { '-' } else { one }).collect()
}

/// What a source says of itself at its head.
fn head(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(source.text.lines()).filter(|(_number, line)| line.starts_with("//!"))
}

#[test]
fn every_file_that_a_page_or_the_head_of_a_source_names_is_there() {
    let sources = sources("", ".rs");
    let names: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let pages: Vec<Source> = pages().collect();
    let texts = pages.iter().map(|page| (page, prose(page).collect::<Vec<_>>()));
    let mut faults = Vec::new();
    for (page, lines) in texts.chain(sources.iter().map(|source| (source, head(source).collect()))) {
        for (number, line) in lines {
            for name in line.split('`').skip(1).step_by(2) {
                if is_path(name) && !root().join(name.trim_end_matches('/')).exists() {
                    faults.push(format!("{}:{number}: `{name}` is not there", page.path));
                }
                let is_rust = name.ends_with(".rs") && !name.contains(['*', ' ', '<', '…']);
                if is_rust && !names.iter().any(|path| *path == name || path.ends_with(&format!("/{name}"))) {
                    faults.push(format!("{}:{number}: there is no `{name}`", page.path));
                }
            }
        }
    }
    report("Every file that a page or the head of a source names is there.", &faults);
}

fn is_path(name: &str) -> bool {
    FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains(['*', ' ', '<', '{', '…', ':'])
}

#[test]
fn the_codemap_names_every_package() {
    let (workspace, map) = (Source::at("Cargo.toml").text, Source::at("ARCHITECTURE.md").text);
    let members = workspace.lines().skip_while(|line| !line.starts_with("members")).take_while(|line| *line != "]");
    let members = members.filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
    let missing: Vec<String> =
        members.filter(|member| !map.contains(&format!("`{member}`"))).map(str::to_owned).collect();
    report("Every package has its line in ARCHITECTURE.md's codemap.", &missing);
}
