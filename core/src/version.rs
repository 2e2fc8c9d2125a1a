//! A version: what one change to one run wrote of a series, and what is said of it beside its points. The one idea that
//! uploads, updates, packs, merging and answers are about; whoever adds to it begins here.

use std::collections::HashSet;
use std::rc::Rc;

use uuid::Uuid;

use crate::points::Shape;
use crate::time::Time;

/// All that is known of a version but its points.
#[derive(Clone, PartialEq, Debug)]
pub struct Version {
    pub run: Uuid,
    /// When it was known: all versions of a run have its known time.
    pub known: Time,
    /// When it was written. Two of one run with the same change time are parts of one write.
    pub change: Time,
    pub remark: Rc<Remark>,
}

impl Version {
    /// Of two versions of one key a flat read shows the one that is greater by this: of two runs known at one moment the one that
    /// was uploaded later, which ids tell, and of a run what was written later. Whatever is written to an older run, a remark
    /// or a value, does not bring it back.
    pub fn precedence(&self) -> (Time, Uuid, Time) {
        (self.known, self.run, self.change)
    }

    /// Where it comes among others of the same key in an answer.
    pub fn place_in_answer(&self) -> (Time, Time, Uuid) {
        (self.known, self.change, self.run)
    }
}

/// Who wrote a version, and what he says of it. As it is stored: no blank annotation, no empty list of tags.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Remark {
    pub by: String,
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
}

/// A version, and where its points are: all that merging looks at.
#[derive(Clone, Debug)]
pub struct Shaped<'a> {
    pub version: Version,
    pub shape: Shape<'a>,
}

/// The remarks of a series, each kept once: version after version is by the same author. So two remarks that were kept
/// here are equal if and only if they are one.
#[derive(Default, Debug)]
pub struct Remarks {
    kept: HashSet<Rc<Remark>>,
    last: Rc<Remark>,
}

impl Remarks {
    /// The remark with these texts, looked at where they stand: nothing is copied of one that is kept already.
    pub fn keep<'t, T>(&mut self, by: &str, annotation: Option<&str>, tags: Option<T>) -> Rc<Remark>
    where
        T: Iterator<Item = &'t str> + Clone,
    {
        if !self.last.says(by, annotation, tags.clone()) {
            let remark = Remark {
                by: by.to_owned(),
                annotation: annotation.map(str::to_owned),
                tags: tags.map(|tags| tags.map(str::to_owned).collect()),
            };
            self.last = match self.kept.get(&remark) {
                Some(kept) => kept.clone(),
                None => {
                    let remark = Rc::new(remark);
                    self.kept.insert(remark.clone());
                    remark
                }
            };
        }
        self.last.clone()
    }
}

impl Remark {
    /// That of a version which nothing is said of.
    pub fn by(author: &str) -> Remark {
        Remark {
            by: author.to_owned(),
            ..Remark::default()
        }
    }

    fn says<'t>(&self, by: &str, annotation: Option<&str>, tags: Option<impl Iterator<Item = &'t str>>) -> bool {
        let same_tags = match (&self.tags, tags) {
            (None, None) => true,
            (Some(own), Some(tags)) => own.iter().map(String::as_str).eq(tags),
            _ => false,
        };
        self.by == by && self.annotation.as_deref() == annotation && same_tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_kept_once_whatever_came_between() {
        type Tags<'a> = std::iter::Copied<std::slice::Iter<'a, &'a str>>;
        let mut remarks = Remarks::default();
        let tags = |tags: &'static [&'static str]| Some(tags.iter().copied());
        let plain = remarks.keep("a", None, None::<Tags>);
        let tagged = remarks.keep("a", None, tags(&["x", "y"]));
        let noted = remarks.keep("a", Some("x"), None::<Tags>);
        assert!(Rc::ptr_eq(&plain, &remarks.keep("a", None, None::<Tags>)));
        assert!(Rc::ptr_eq(&tagged, &remarks.keep("a", None, tags(&["x", "y"]))));
        assert!(Rc::ptr_eq(&noted, &remarks.keep("a", Some("x"), None::<Tags>)));
        for other in [
            remarks.keep("a", None, tags(&[])),
            remarks.keep("a", None, tags(&["x"])),
            remarks.keep("a", Some(""), None::<Tags>),
            remarks.keep("b", None, None::<Tags>),
        ] {
            assert!(![&plain, &tagged, &noted].contains(&&other), "{other:?}");
        }
        assert_eq!(*plain, Remark::by("a"));
    }
}
