//! The files of the workspace, and how a check reports.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// One file of the workspace.
pub(crate) struct Source {
    /// Below the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The file at a path below the root.
    pub(crate) fn at(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path));
        Self { path: path.into(), text: text.unwrap_or_else(|error| panic!("{path} has to exist: {error}")) }
    }

    /// Its lines outside tests, with their numbers: without `#[cfg(test)]` modules, and without comments.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.production().filter(|(_number, line)| !line.trim_start().starts_with("//"))
    }

    /// Its lines outside `#[cfg(test)]` modules, comments included.
    pub(crate) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut after_attribute = false;
        let mut in_tests = false;
        (1..).zip(self.text.lines()).filter(move |(_number, line)| {
            // Another module's tests may use what such a one has.
            let declared = line.strip_prefix("pub(crate) ").unwrap_or(line);
            if after_attribute && declared.starts_with("mod ") && line.ends_with('{') {
                in_tests = true;
            }
            after_attribute = *line == "#[cfg(test)]";
            let shown = !in_tests && !after_attribute;
            if in_tests && *line == "}" {
                in_tests = false;
            }
            shown
        })
    }
}

/// Every file below a folder whose name ends so, by path; none where there is no such folder.
pub(crate) fn sources(folder: &str, ending: &str) -> Vec<Source> {
    let mut paths = BTreeSet::new();
    walk(&root().join(folder), ending, &mut paths);
    paths.iter().map(|path| Source::at(path)).collect()
}

fn walk(folder: &Path, ending: &str, found: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                walk(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}

/// Fails with the rule in words and every place that breaks it.
pub(crate) fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}\n", faults.join("\n  "));
}

/// Whether `word` stands in `line` as a whole identifier.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.split(|one: char| !one.is_alphanumeric() && one != '_').any(|one| one == word)
}

/// The texts within double quotes in a line that hold capitals, digits and `_` alone.
pub(crate) fn shouted(line: &str) -> impl Iterator<Item = &str> {
    let is_shouted = |text: &&str| {
        text.len() > 2
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_')
    };
    line.split('"').skip(1).step_by(2).filter(is_shouted)
}
