//! What a pack holds of its versions beside their values, as bytes: written and read here, column after column, in the order
//! that the head of `pack` lays out. A further field of each version is a line in both directions.

use uuid::Uuid;

use super::column;
use super::dictionary::{self, Dictionary};
use crate::limits::MOST_POINTS;
use crate::points::bytes::Form;
use crate::points::bytes::cursor::{Cursor, push_varint};
use crate::points::{Corrupt, Points, Shape};
use crate::time::Time;
use crate::version::{Remark, Remarks, Shaped, Version};

const TRUNCATED: Corrupt = Corrupt("truncated");

pub fn push(bytes: &mut Vec<u8>, versions: &[(Version, Points)]) {
    let all = || versions.iter().map(|(version, _)| version);
    let remarks = || all().map(|version| &*version.remark);
    let times = |of: fn(&Version) -> Time| -> Vec<i64> { all().map(|v| of(v).micros()).collect() };
    let known = times(|version| version.known);
    dictionary::push(bytes, all().map(|version| Some(version.run.as_bytes().to_vec())));
    column::push(bytes, &known);
    column::push_beside(bytes, &times(|version| version.change), &known);
    dictionary::push(bytes, remarks().map(|remark| Some(string(&remark.by))));
    dictionary::push(bytes, remarks().map(|remark| remark.annotation.as_deref().map(string)));
    dictionary::push(bytes, remarks().map(|remark| remark.tags.as_deref().map(strings)));
    let points = || versions.iter().map(|(_, points)| points);
    dictionary::push(bytes, points().map(|points| Some(points.shape().form().to_bytes())));
    let first = points().map(|points| points.first().map_or(0, Time::micros));
    column::push_beside(bytes, &first.collect::<Vec<i64>>(), &known);
}

pub fn read<'a>(cursor: &mut Cursor<'a>, count: usize) -> Result<Vec<Shaped<'a>>, Corrupt> {
    let runs = Dictionary::read(cursor, count, read_run)?;
    let known = column::read(cursor, count)?;
    let change = column::read_beside(cursor, &known)?;
    let by = Dictionary::read(cursor, count, read_string)?;
    let annotations = Dictionary::read(cursor, count, read_string)?;
    let tags = Dictionary::read(cursor, count, read_strings)?;
    let forms = Dictionary::read(cursor, count, Form::read)?;
    let first = column::read_beside(cursor, &known)?;
    let mut remarks = Remarks::default();
    let mut versions = Vec::with_capacity(count);
    let mut points = 0;
    for index in 0..count {
        let shape = read_shape(forms.of(index)?, first[index])?;
        points += shape.len();
        if points > MOST_POINTS {
            return Err(super::TOO_MANY);
        }
        let version = Version {
            run: runs.of(index)?,
            known: read_time(known[index])?,
            change: read_time(change[index])?,
            remark: remarks.keep(by.of(index)?, annotations.get(index), tags.get(index)),
        };
        versions.push(Shaped { version, shape });
    }
    Ok(versions)
}

/// The bytes of what is said of a version, more or less: what it adds to a pack that nothing else shares.
pub fn text_bytes(remark: &Remark) -> usize {
    let tags = remark.tags.iter().flatten();
    remark.annotation.as_ref().map_or(0, String::len) + tags.map(String::len).sum::<usize>()
}

fn read_shape(form: Form, first: i64) -> Result<Shape, Corrupt> {
    if form.count == 0 && first != 0 {
        return Err(Corrupt("no points, but a start of them"));
    }
    form.at(first)
}

fn read_time(micros: i64) -> Result<Time, Corrupt> {
    Time::from_micros(micros).ok_or(Corrupt("a time is out of range"))
}

fn read_run(cursor: &mut Cursor) -> Result<Uuid, Corrupt> {
    let bytes = cursor.take(size_of::<Uuid>())?;
    Uuid::from_slice(bytes).map_err(|_| TRUNCATED)
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_string(&mut bytes, text);
    bytes
}

fn push_string(bytes: &mut Vec<u8>, text: &str) {
    push_varint(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

fn read_string<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Corrupt> {
    let size = usize::try_from(cursor.varint()?).map_err(|_| TRUNCATED)?;
    str::from_utf8(cursor.take(size)?).map_err(|_| Corrupt("a text is not UTF-8"))
}

fn strings(texts: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_varint(&mut bytes, texts.len() as u64);
    texts.iter().for_each(|text| push_string(&mut bytes, text));
    bytes
}

/// The strings of a list, where they stand.
#[derive(Clone, Copy)]
struct Strings<'a>(&'a [u8]);

fn read_strings<'a>(cursor: &mut Cursor<'a>) -> Result<Strings<'a>, Corrupt> {
    let count = usize::try_from(cursor.varint()?).map_err(|_| TRUNCATED)?;
    let before = cursor.0;
    for _ in 0..count {
        read_string(cursor)?;
    }
    Ok(Strings(&before[..before.len() - cursor.0.len()]))
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut cursor = Cursor(self.0);
        // They were read before without an error.
        let string = read_string(&mut cursor).ok();
        self.0 = cursor.0;
        string
    }
}
