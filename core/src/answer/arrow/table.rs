//! What a column says of each series, or of each version, told once; its rows name them by code.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, DictionaryArray, ListArray, PrimitiveArray, TimestampMicrosecondArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::ArrowError;
use uuid::Uuid;

use super::batch::{ZONE, element};
use super::texts::{Texts, texts};
use crate::answer::columns::{Content, Type};

#[derive(Debug)]
pub(super) enum Table {
    Times(Each<i64>),
    Texts(Each<i32>, Texts),
    /// As the texts that they are written as, each made once.
    Ids(Each<i32>, HashMap<Uuid, i32>, Texts),
    Lists(Each<Box<[String]>>),
}

/// A [`Table`] to which nothing is added any more.
pub(super) enum Finished {
    Times(Each<i64>),
    /// The dictionary is the same for all batches: a writer sends what it has sent before only once.
    Texts(Each<i32>, ArrayRef),
    Lists(Each<Box<[String]>>),
}

/// A content for each code, null for some.
#[derive(Debug)]
pub(super) struct Each<T> {
    contents: Vec<Option<T>>,
    nulls: usize,
}

impl Table {
    pub(super) fn of(of: Type) -> Table {
        match of {
            Type::Id => Table::Ids(Each::default(), HashMap::new(), Texts::default()),
            Type::Text | Type::Json => Table::Texts(Each::default(), Texts::default()),
            Type::Texts => Table::Lists(Each::default()),
            // No series and no version has a number.
            Type::Time | Type::Number => Table::Times(Each::default()),
        }
    }

    /// What the column says of the next series or version; answers the bytes that it adds to each row beside its code.
    /// What is not of the column's type is null.
    pub(super) fn push(&mut self, content: Option<Content<'_>>) -> usize {
        match (self, content) {
            (Table::Times(each), Some(Content::Time(time))) => {
                each.push(Some(time.micros_since_1970()));
            }
            (Table::Texts(each, texts), Some(Content::Text(text) | Content::Json(text))) => {
                each.push(Some(texts.code(text)));
            }
            (Table::Ids(each, codes, texts), Some(Content::Id(id))) => {
                let code = codes.entry(*id).or_insert_with(|| texts.code(&id.to_string()));
                each.push(Some(*code));
            }
            (Table::Lists(each), Some(Content::Texts(list))) => {
                each.push(Some(list.into()));
                let of_one = |text: &String| text.len() + size_of::<i32>();
                return list.iter().map(of_one).sum();
            }
            (Table::Lists(each), _) => each.push(None),
            (Table::Times(each), _) => each.push(None),
            (Table::Texts(each, _) | Table::Ids(each, ..), _) => each.push(None),
        }
        0
    }

    /// What the dictionary takes in a stream.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Table::Texts(_, texts) | Table::Ids(_, _, texts) => texts.bytes(),
            Table::Times(_) | Table::Lists(_) => 0,
        }
    }

    pub(super) fn finish(self) -> Result<Finished, ArrowError> {
        Ok(match self {
            Table::Times(each) => Finished::Times(each),
            Table::Texts(each, texts) | Table::Ids(each, _, texts) => Finished::Texts(each, texts.finish()?),
            Table::Lists(each) => Finished::Lists(each),
        })
    }
}

impl Finished {
    /// The column of rows with these codes.
    pub(super) fn column(&self, codes: &[u32]) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Finished::Times(each) => {
                let times: TimestampMicrosecondArray = each.gather(codes);
                Arc::new(times.with_timezone(ZONE))
            }
            Finished::Texts(each, dictionary) => {
                let keys: PrimitiveArray<Int32Type> = each.gather(codes);
                Arc::new(DictionaryArray::try_new(keys, dictionary.clone())?)
            }
            Finished::Lists(each) => Arc::new(each.lists(codes)?),
        })
    }
}

impl<T> Each<T> {
    fn push(&mut self, content: Option<T>) {
        self.nulls += usize::from(content.is_none());
        self.contents.push(content);
    }

    /// Mostly of a nullable column, and then no row is asked.
    fn all_null(&self) -> bool {
        self.nulls == self.contents.len()
    }

    fn is_there(&self, code: u32) -> bool {
        self.contents[code as usize].is_some()
    }
}

impl<T: ArrowNativeType> Each<T> {
    fn gather<A: ArrowPrimitiveType<Native = T>>(&self, codes: &[u32]) -> PrimitiveArray<A> {
        if self.all_null() {
            return PrimitiveArray::new_null(codes.len());
        }
        let contents = codes.iter().map(|&code| self.contents[code as usize]);
        let values: Vec<T> = contents.map(Option::unwrap_or_default).collect();
        let nulls = (self.nulls > 0).then(|| {
            let valid = BooleanBuffer::collect_bool(codes.len(), |row| self.is_there(codes[row]));
            NullBuffer::new(valid)
        });
        PrimitiveArray::new(values.into(), nulls)
    }
}

impl Each<Box<[String]>> {
    /// The lists are spelled out in each row: seldom has a row any.
    fn lists(&self, codes: &[u32]) -> Result<ListArray, ArrowError> {
        let mut joined = Vec::new();
        let mut text_ends = vec![0];
        let mut list_ends = vec![0; codes.len() + 1];
        if !self.all_null() {
            for (row, &code) in codes.iter().enumerate() {
                for text in self.contents[code as usize].iter().flatten() {
                    joined.extend_from_slice(text.as_bytes());
                    text_ends.push(joined.len());
                }
                let end = text_ends.len() - 1;
                list_ends[row + 1] = i32::try_from(end).map_err(|_| ArrowError::OffsetOverflowError(end))?;
            }
        }
        let nulls = if self.all_null() {
            NullBuffer::new_null(codes.len())
        } else {
            BooleanBuffer::collect_bool(codes.len(), |row| self.is_there(codes[row])).into()
        };
        ListArray::try_new(
            Arc::new(element()),
            OffsetBuffer::new(list_ends.into()),
            Arc::new(texts(text_ends.into_iter(), joined)?),
            Some(nulls),
        )
    }
}

impl<T> Default for Each<T> {
    fn default() -> Each<T> {
        Each {
            contents: Vec::new(),
            nulls: 0,
        }
    }
}
