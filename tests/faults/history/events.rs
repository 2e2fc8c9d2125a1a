//! What a client has done, what it was answered, and between which moments.

use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Fields, Place, Question, Version};

/// Whatever happened did so after the beginning and before the end.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub begin: Instant,
    pub end: Instant,
}

#[derive(Debug)]
pub struct Event {
    pub span: Span,
    pub deed: Deed,
}

/// Compaction is none: nobody may see it.
#[derive(Debug)]
pub enum Deed {
    Upload(Upload),
    Update(Vec<Element>),
    Read(Read),
    /// Withdrawn, or restored. No two clients are at one run.
    TakeBack {
        run: Uuid,
    },
    /// Of old values, which may be taken out.
    UploadOld(Upload),
    Retain {
        remaining: i64,
    },
}

#[derive(Debug)]
pub struct Upload {
    /// None where nothing was written.
    pub run: Option<Uuid>,
    pub known: Option<Timestamp>,
    pub rows: Vec<(Place, Fields)>,
    /// Of an upload that leaves out what is unchanged, how many rows it has left out.
    pub skipped: Option<usize>,
}

/// None leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub value: Option<Option<u64>>,
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
}

impl Change {
    pub fn of(&self, fields: &Fields) -> Fields {
        Fields {
            value: self.value.unwrap_or(fields.value),
            annotation: self.annotation.clone().or_else(|| fields.annotation.clone()),
            tags: self.tags.clone().or_else(|| fields.tags.clone()),
        }
    }
}

/// What was asked for of a value, and answered.
#[derive(Debug)]
pub struct Element {
    pub place: Place,
    pub change: Change,
    /// Not named, but that whose value was shown.
    pub is_of_shown: bool,
    pub run: Uuid,
    pub status: Status,
    pub change_time: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Status {
    Created,
    Updated,
    Skipped,
}

#[derive(Debug)]
pub struct Read {
    pub question: Question,
    /// It asked as of a moment that was settled, and so must answer the same ever after.
    pub is_settled: bool,
    pub answer: Vec<Version>,
    /// What it shows of the series of old values.
    pub old: Vec<Version>,
}
