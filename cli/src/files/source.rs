//! What stands in a file, chunk by chunk, as columns of Arrow: of CSV they are texts, whatever they mean.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom, stdin};
use std::path::Path;

use anyhow::{Context, Result, bail};
use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Format;
use super::comma::CommaSeparated;
use crate::failure::Usage;

const ROWS_A_CHUNK: usize = 8192;

/// Rows of a file, as they follow each other.
pub struct Chunk {
    pub batch: RecordBatch,
    pub places: Places,
    /// Rows that are none, with their places; they are not in the batch.
    pub broken: Vec<(u64, String)>,
}

/// Where each row of a chunk stands in its file: its number, or of CSV its line.
pub enum Places {
    From(u64),
    Lines(Vec<u64>),
}

impl Places {
    pub fn of(&self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::Lines(lines) => lines[row],
        }
    }
}

pub enum Source {
    Csv(Box<CommaSeparated>),
    Columns(Columns),
}

pub struct Columns {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
    /// What is left of a batch, which may be all of a file.
    rest: Option<RecordBatch>,
    rows: u64,
}

impl Source {
    /// Opens a file, or the standard input for `-`.
    pub fn open(path: &Path, format: Option<Format>, delimiter: Option<u8>) -> Result<Self> {
        let is_stdin = path == Path::new("-");
        let mut content = match is_stdin {
            true => Content::Piped(Box::new(stdin())),
            false => Content::File(File::open(path)?),
        };
        if matches!(&content, Content::File(file) if file.metadata()?.is_dir()) {
            bail!("is a directory");
        }
        let beginning = content.beginning()?;
        if beginning.is_empty() {
            bail!("is empty");
        }
        let found = Found::of(&beginning);
        let said = format.or_else(|| Format::of(path));
        match (said, found) {
            (None, Found::Text) if !is_stdin => Err(undecided(path)),
            (None | Some(Format::Csv), Found::Text) => {
                Ok(Self::Csv(Box::new(CommaSeparated::open(content.stream()?, delimiter)?)))
            }
            (None | Some(Format::Parquet), Found::Parquet) => Self::parquet(content),
            (None | Some(Format::Arrow | Format::ArrowStream), Found::ArrowFile) => Self::arrow_file(content),
            (None | Some(Format::Arrow | Format::ArrowStream), Found::ArrowStream) => Self::arrow_stream(content),
            (Some(Format::Table | Format::Json), _) => {
                Err(Usage("an upload is of CSV, Parquet or Arrow; timedb.upload takes JSON".to_owned()).into())
            }
            (_, Found::Unreadable(what)) => bail!("is {what}"),
            (said, found) => {
                let said = said.map_or("what it is called", Format::name);
                bail!("is not {said}: it is {}", found.words())
            }
        }
    }

    fn parquet(content: Content) -> Result<Self> {
        match content {
            Content::File(file) => Self::of_parquet(ParquetRecordBatchReaderBuilder::try_new(file)?),
            piped => Self::of_parquet(ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(
                piped.all()?,
            ))?),
        }
    }

    fn of_parquet<T>(builder: ParquetRecordBatchReaderBuilder<T>) -> Result<Self>
    where
        T: parquet::file::reader::ChunkReader + 'static,
    {
        let reader: ParquetRecordBatchReader = builder.with_batch_size(ROWS_A_CHUNK).build()?;
        let schema = arrow_array::RecordBatchReader::schema(&reader);
        Ok(Self::columns(schema, reader))
    }

    fn arrow_file(content: Content) -> Result<Self> {
        match content {
            Content::File(file) => {
                let reader = FileReader::try_new_buffered(file, None)?;
                Ok(Self::columns(reader.schema(), reader))
            }
            piped => {
                let reader = FileReader::try_new(Cursor::new(piped.all()?), None)?;
                Ok(Self::columns(reader.schema(), reader))
            }
        }
    }

    fn arrow_stream(content: Content) -> Result<Self> {
        let reader = StreamReader::try_new_buffered(content.stream()?, None)?;
        Ok(Self::columns(reader.schema(), reader))
    }

    fn columns(schema: SchemaRef, batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static) -> Self {
        Self::Columns(Columns {
            schema,
            batches: Box::new(batches),
            rest: None,
            rows: 0,
        })
    }

    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Csv(file) => file.schema(),
            Self::Columns(columns) => columns.schema.clone(),
        }
    }

    pub fn next(&mut self) -> Result<Option<Chunk>> {
        let columns = match self {
            Self::Csv(file) => return file.next(ROWS_A_CHUNK),
            Self::Columns(columns) => columns,
        };
        let next = match columns.rest.take() {
            Some(rest) => Some(Ok(rest)),
            None => columns.batches.next(),
        };
        let Some(batch) = next else {
            return Ok(None);
        };
        let mut batch = batch.with_context(|| format!("is damaged after row {}", columns.rows))?;
        if batch.num_rows() > ROWS_A_CHUNK {
            columns.rest = Some(batch.slice(ROWS_A_CHUNK, batch.num_rows() - ROWS_A_CHUNK));
            batch = batch.slice(0, ROWS_A_CHUNK);
        }
        let places = Places::From(columns.rows + 1);
        columns.rows += batch.num_rows() as u64;
        Ok(Some(Chunk {
            batch,
            places,
            broken: Vec::new(),
        }))
    }
}

fn undecided(path: &Path) -> anyhow::Error {
    Usage(format!(
        "what {} is in its name does not say: --format csv, parquet or arrow does",
        path.display()
    ))
    .into()
}

/// A file that can be read from any place, or what comes through a pipe, which cannot.
pub enum Content {
    File(File),
    Piped(Box<dyn Read + Send>),
}

impl Content {
    /// The first bytes, which are read again afterwards.
    fn beginning(&mut self) -> Result<Vec<u8>> {
        let mut beginning = Vec::new();
        match self {
            Self::File(file) => {
                file.take(8).read_to_end(&mut beginning)?;
                // Of a named pipe there is no going back.
                if file.seek(SeekFrom::Start(0)).is_err() {
                    let rest = file.try_clone()?;
                    *self = Self::Piped(Box::new(Cursor::new(beginning.clone()).chain(rest)));
                }
            }
            Self::Piped(pipe) => {
                pipe.take(8).read_to_end(&mut beginning)?;
                let rest = std::mem::replace(pipe, Box::new(std::io::empty()));
                *pipe = Box::new(Cursor::new(beginning.clone()).chain(rest));
            }
        }
        Ok(beginning)
    }

    fn stream(self) -> Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(file) => Box::new(file),
            Self::Piped(pipe) => pipe,
        })
    }

    fn all(self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        self.stream()?.read_to_end(&mut all)?;
        Ok(all)
    }
}

/// What the first bytes of a file say that it is.
enum Found {
    Text,
    Parquet,
    ArrowFile,
    ArrowStream,
    Unreadable(&'static str),
}

impl Found {
    fn of(beginning: &[u8]) -> Self {
        let starts = |with: &[u8]| beginning.starts_with(with);
        if starts(b"PAR1") {
            Self::Parquet
        } else if starts(b"ARROW1") {
            Self::ArrowFile
        } else if starts(&[0xff; 4]) {
            Self::ArrowStream
        } else if starts(&[0x1f, 0x8b]) || starts(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Unreadable("compressed: unpack it first, as in gunzip -c FILE | timedb upload --format csv -")
        } else if starts(b"PK\x03\x04") {
            Self::Unreadable("a zip archive, as workbooks are: save it as CSV first")
        } else if starts(&[0xff, 0xfe]) || starts(&[0xfe, 0xff]) {
            Self::Unreadable("in UTF-16: save it as UTF-8 first")
        } else if beginning.contains(&0) {
            Self::Unreadable("neither text, Parquet nor Arrow")
        } else {
            Self::Text
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Parquet => "a Parquet file",
            Self::ArrowFile => "an Arrow file",
            Self::ArrowStream => "an Arrow stream",
            Self::Unreadable(what) => what,
        }
    }
}
