//! The columns of an answer: of each its name, its type and where its content comes from. The rows of `read`, of the view
//! current_values and of `unnest_pack`, and the schema and the batches of an Arrow stream are all made by these.

use uuid::Uuid;

use crate::time::Time;
use crate::version::Version;

/// A series, as an answer has it in each of its rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    pub id: Uuid,
    pub key: String,
    pub unit: String,
    /// As the text of a JSON object.
    pub labels: String,
}

pub struct Column {
    pub name: &'static str,
    pub of: Type,
    pub nullable: bool,
    pub source: Source,
}

/// The type of a column; in Postgres timestamptz, float8, uuid, text, text[] and jsonb.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Time,
    Number,
    Id,
    Text,
    Texts,
    Json,
}

/// Where the content of a column comes from. What is of a series or a version is the same for many rows.
#[derive(Clone, Copy)]
pub enum Source {
    Series(fn(&Series) -> Option<Content<'_>>),
    Version(fn(&Version) -> Option<Content<'_>>),
    /// The start of the point, its end, its value.
    Start,
    End,
    Value,
}

/// What one row has in a column, of the column's type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Content<'a> {
    Time(Time),
    Number(f64),
    Id(&'a Uuid),
    Text(&'a str),
    Texts(&'a [String]),
    Json(&'a str),
}

const KNOWN_TIME: Column = of_version("known_time", Type::Time, |version| Some(Content::Time(version.known)));
const VALID_TIME: Column = Column {
    name: "valid_time",
    of: Type::Time,
    nullable: false,
    source: Source::Start,
};
const VALID_TIME_END: Column = Column {
    name: "valid_time_end",
    of: Type::Time,
    nullable: true,
    source: Source::End,
};
const SERIES_ID: Column = of_series("series_id", Type::Id, |series| Some(Content::Id(&series.id)));
const SERIES_KEY: Column = of_series("series_key", Type::Text, |series| Some(Content::Text(&series.key)));
const UNIT: Column = of_series("unit", Type::Text, |series| Some(Content::Text(&series.unit)));
const VALUE: Column = Column {
    name: "value",
    of: Type::Number,
    nullable: true,
    source: Source::Value,
};
const RUN_ID: Column = of_version("run_id", Type::Id, |version| Some(Content::Id(&version.run)));
const CHANGE_TIME: Column = of_version("change_time", Type::Time, |version| Some(Content::Time(version.change)));
const CHANGED_BY: Column = of_version("changed_by", Type::Text, |version| {
    Some(Content::Text(&version.remark.by))
});
const ANNOTATION: Column = nullable(of_version("annotation", Type::Text, |version| {
    version.remark.annotation.as_deref().map(Content::Text)
}));
const TAGS: Column = nullable(of_version("tags", Type::Texts, |version| {
    version.remark.tags.as_deref().map(Content::Texts)
}));

const LABELS: Column = of_series("labels", Type::Json, |series| Some(Content::Json(&series.labels)));

/// The columns of `read`, in their order.
pub static READ: [Column; 13] = [
    KNOWN_TIME,
    VALID_TIME,
    VALID_TIME_END,
    SERIES_ID,
    SERIES_KEY,
    UNIT,
    VALUE,
    RUN_ID,
    CHANGE_TIME,
    CHANGED_BY,
    ANNOTATION,
    TAGS,
    LABELS,
];

/// How many of them `read` had in 0.1.0: the first.
pub const READ_BEFORE_LABELS: usize = 12;

/// Those of one series: what the view current_values has beside the columns of `series`.
pub static OF_ONE_SERIES: [Column; 9] = [
    KNOWN_TIME,
    VALID_TIME,
    VALID_TIME_END,
    VALUE,
    RUN_ID,
    CHANGE_TIME,
    CHANGED_BY,
    ANNOTATION,
    TAGS,
];

/// Those of a version, as `unnest_pack` has them before its points.
pub static OF_VERSION: [Column; 6] = [RUN_ID, KNOWN_TIME, CHANGE_TIME, CHANGED_BY, ANNOTATION, TAGS];

const fn of_series(name: &'static str, of: Type, content: fn(&Series) -> Option<Content<'_>>) -> Column {
    Column {
        name,
        of,
        nullable: false,
        source: Source::Series(content),
    }
}

const fn of_version(name: &'static str, of: Type, content: fn(&Version) -> Option<Content<'_>>) -> Column {
    Column {
        name,
        of,
        nullable: false,
        source: Source::Version(content),
    }
}

const fn nullable(column: Column) -> Column {
    Column {
        nullable: true,
        ..column
    }
}

impl Content<'_> {
    pub fn is_of(&self, of: Type) -> bool {
        let own = match self {
            Content::Time(_) => Type::Time,
            Content::Number(_) => Type::Number,
            Content::Id(_) => Type::Id,
            Content::Text(_) => Type::Text,
            Content::Texts(_) => Type::Texts,
            Content::Json(_) => Type::Json,
        };
        own == of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_takes_out_is_of_the_type_it_says() {
        let series = Series {
            id: Uuid::nil(),
            key: "wind".into(),
            unit: "MW".into(),
            labels: "{}".into(),
        };
        let mut version = Version {
            run: Uuid::nil(),
            known: Time::MIN,
            change: Time::MAX,
            remark: Default::default(),
        };
        for said in [false, true] {
            if said {
                version.remark = crate::version::Remark {
                    by: "a".into(),
                    annotation: Some("b".into()),
                    tags: Some(vec!["c".into()]),
                }
                .into();
            }
            for column in READ.iter().chain(&OF_ONE_SERIES).chain(&OF_VERSION) {
                let content = match column.source {
                    Source::Series(of) => of(&series),
                    Source::Version(of) => of(&version),
                    Source::Start | Source::End => Some(Content::Time(Time::MIN)),
                    Source::Value => Some(Content::Number(1.0)),
                };
                let is_right = content.is_none_or(|content| content.is_of(column.of));
                assert!(is_right, "{}", column.name);
                let may_be_null = column.nullable && !said;
                assert!(content.is_some() || may_be_null, "{}", column.name);
            }
        }
    }
}
