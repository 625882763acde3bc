//! From a file's text to nodes. YAML as CloudFormation has it: tags are functions, a key stands once in its map, and
//! there are no aliases and no merges. JSON, being YAML, is read as well.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};

use crate::error::{Fault, Place};
use crate::node::{Entry, Node, Value};

/// How deep a template may be nested; nobody writes one half as deep.
const NESTING_MAX: usize = 64;

/// The one document of a text.
pub(crate) fn read(text: &str) -> Result<Node, Fault> {
    let mut events = Events { parser: Parser::new_from_str(text), end: Place { line: 1, column: 1 } };
    let mut found = None;
    while let Some((event, place)) = events.next()? {
        match event {
            Event::StreamStart
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamEnd
            | Event::Nothing
            | Event::MappingEnd
            | Event::SequenceEnd => {}
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                if found.is_some() {
                    return Err(Fault::new(place, "a second document; a template is one"));
                }
                found = Some(events.node(event, place, 0)?);
            }
        }
    }
    found.ok_or_else(|| Fault::new(Place { line: 1, column: 1 }, "the file is empty"))
}

struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// Of the last event.
    end: Place,
}

impl<'t> Events<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Place)>, Fault> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                self.end = place(span.start);
                Ok(Some((event, self.end)))
            }
            Some(Err(error)) => Err(unreadable(&error)),
        }
    }

    /// One that has to come, since the parser has promised it.
    fn within(&mut self) -> Result<(Event<'t>, Place), Fault> {
        self.next()?.ok_or_else(|| Fault::new(self.end, "the file ends here, in the middle of something"))
    }

    fn node(&mut self, event: Event<'t>, place: Place, depth: usize) -> Result<Node, Fault> {
        if depth > NESTING_MAX {
            return Err(Fault::new(place, format!("nested deeper than {NESTING_MAX}")));
        }
        let (value, tag) = match event {
            Event::Scalar(text, style, _, tag) => {
                (Value::Scalar { text: text.into_owned(), quoted: style != ScalarStyle::Plain }, tag)
            }
            Event::SequenceStart(_, tag) => (Value::List(self.items(depth)?), tag),
            Event::MappingStart(_, tag) => (Value::Map(self.entries(depth)?), tag),
            Event::Alias(_) => return Err(Fault::new(place, "an alias; CloudFormation takes none")),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(Fault::new(place, "a value was expected here")),
        };
        with_tag(Node { place, value }, tag.as_deref())
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, place) = self.within()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, place, depth.saturating_add(1))?);
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Fault> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, key_place) = self.within()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let Event::Scalar(key, _, _, None) = event else {
                return Err(Fault::new(key_place, "a key has to be a text"));
            };
            let key = key.into_owned();
            if key == "<<" {
                return Err(Fault::new(key_place, "a merge; CloudFormation takes none"));
            }
            if let Some(before) = entries.iter().find(|entry| entry.key == key) {
                return Err(Fault::new(key_place, format!("{key} stands here and in line {}", before.key_place.line)));
            }
            let (event, place) = self.within()?;
            let node = self.node(event, place, depth.saturating_add(1)).map_err(|fault| fault.below(&key))?;
            entries.push(Entry { key, key_place, node });
        }
    }
}

/// `!Ref x` as a function, `!!str 7` as a text. Another of YAML's own types is refused, for it would be lost.
fn with_tag(node: Node, tag: Option<&Tag>) -> Result<Node, Fault> {
    let Some(tag) = tag else { return Ok(node) };
    let place = node.place;
    if tag.handle == "!" && !tag.suffix.is_empty() {
        return Ok(Node { place, value: Value::Tagged(tag.suffix.clone(), Box::new(node)) });
    }
    match node.value {
        Value::Scalar { text, .. } if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(Node::text(place, text)),
        Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Tagged(..) => {
            Err(Fault::new(place, format!("{tag} is no function of CloudFormation's")))
        }
    }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col().saturating_add(1) }
}

fn unreadable(error: &ScanError) -> Fault {
    let info: Cow<'_, str> = error.info().into();
    Fault::new(place(*error.marker()), format!("no YAML: {info}"))
}
