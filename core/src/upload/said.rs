//! What a row of an upload says of its value beside it.

/// As it is stored: no blank annotation, no empty list of tags.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Said {
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
}

impl Said {
    pub(super) fn bytes(&self) -> usize {
        let tags = self.tags.iter().flatten().map(String::len).sum::<usize>();
        self.annotation.as_ref().map_or(0, String::len) + tags
    }
}
