//! A generated section within a page that people write: between two marks, so that it can be made anew.

use crate::ReportError;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// The page with what stands between the marks replaced.
///
/// # Errors
/// The page lacks one of the marks, or has them the wrong way round.
pub fn refreshed(page: &str, section: &str) -> Result<String, ReportError> {
    let (before, rest) = page.split_once(BEGIN).ok_or(ReportError::NoMark(BEGIN))?;
    let (_old, after) = rest.split_once(END).ok_or(ReportError::NoMark(END))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_and_the_section_is_new() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n");
        let once = refreshed(&page, "new\n").unwrap();
        assert_eq!(once, format!("# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nThe end.\n"));
        assert_eq!(refreshed(&once, "new").unwrap(), once, "again changes nothing");
    }

    #[test]
    fn a_page_without_marks_is_told_which() {
        assert!(refreshed("text", "new").unwrap_err().to_string().contains(BEGIN));
        assert!(refreshed(&format!("{END} {BEGIN}"), "new").unwrap_err().to_string().contains(END));
    }
}
