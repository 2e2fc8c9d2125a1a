//! The file of an archive: written beside its place and renamed, so that there is a whole one or none; read only once its
//! checksum is right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Take, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{FORMAT, Header, MAGIC};

/// More is no header of ours.
const LONGEST_LINE: u64 = 1 << 20;
const TRAILER_BYTES: u64 = "sha256 ".len() as u64 + 64 + 1;
/// Hashes are of random bytes and pass as they are; of the rest a higher level makes little less.
const COMPRESSION: i32 = 3;
/// As a power of two, what unpacking may look back at: four times of what this compression does. A file may ask for gigabytes.
const WINDOW: u32 = 23;

/// An archive that is being written.
pub struct NewArchive {
    rows: zstd::Encoder<'static, Hashing>,
    beside: PathBuf,
    path: PathBuf,
    replaces: bool,
}

/// Takes the checksum of what passes.
struct Hashing {
    file: BufWriter<File>,
    sum: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Where a file is written before it gets its name.
pub fn beside(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        bail!("\"{}\" is no name of a file", path.display());
    };
    let name = format!(".{}.{}.part", name.to_string_lossy(), process::id());
    Ok(path.with_file_name(name))
}

/// That a file may be made at a place.
pub fn check_free(path: &Path, replaces: bool) -> Result<()> {
    if !replaces && path.symlink_metadata().is_ok() {
        bail!(
            "the file \"{}\" exists\nHINT:  --force puts the new one in its place.",
            path.display()
        );
    }
    Ok(())
}

impl NewArchive {
    /// Hashes of keys are in it, and all that a tenant has: nobody else may read it, from its first byte on.
    pub fn create(path: &Path, replaces: bool, header: &Header) -> Result<NewArchive> {
        check_free(path, replaces)?;
        let beside = beside(path)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside);
        let file = file.with_context(|| format!("\"{}\" cannot be made", beside.display()))?;
        let mut out = Hashing {
            file: BufWriter::new(file),
            sum: Sha256::new(),
        };
        let begun = writeln!(out, "{MAGIC}{FORMAT}")
            .and_then(|()| writeln!(out, "{}", serde_json::json!(header)))
            .and_then(|()| zstd::Encoder::new(out, COMPRESSION));
        match begun {
            Ok(rows) => Ok(NewArchive {
                rows,
                beside,
                path: path.to_owned(),
                replaces,
            }),
            Err(error) => {
                fs::remove_file(&beside).ok();
                Err(error.into())
            }
        }
    }

    pub fn write(&mut self, rows: &[u8]) -> Result<()> {
        self.rows.write_all(rows).context("the file cannot be written")
    }

    /// Gives the file its name, once it is on the disk.
    pub fn finish(self) -> Result<()> {
        let (beside, path, replaces) = (self.beside.clone(), self.path.clone(), self.replaces);
        let finished = self.end().and_then(|()| name(&beside, &path, replaces));
        if finished.is_err() {
            fs::remove_file(&beside).ok();
        }
        finished
    }

    fn end(self) -> Result<()> {
        let mut out = self.rows.finish()?;
        let sum = hex(&out.sum.finalize_reset());
        writeln!(out.file, "sha256 {sum}")?;
        out.file.flush()?;
        out.file.get_ref().sync_all()?;
        Ok(())
    }

    /// What was written so far goes.
    pub fn give_up(self) {
        fs::remove_file(&self.beside).ok();
    }
}

/// A link takes no name that somebody else has made meanwhile; where a file system has none, a rename must do.
fn name(beside: &Path, path: &Path, replaces: bool) -> Result<()> {
    if !replaces {
        match fs::hard_link(beside, path) {
            Ok(()) => return Ok(fs::remove_file(beside)?),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return check_free(path, false),
            Err(_) => check_free(path, false)?,
        }
    }
    fs::rename(beside, path).with_context(|| format!("\"{}\" cannot be made", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An archive whose bytes are what was written.
pub struct Archive {
    pub header: Header,
    pub rows: BufReader<zstd::Decoder<'static, BufReader<Take<File>>>>,
}

impl Archive {
    /// Looks at all of it, before anything is taken from it.
    pub fn open(path: &Path) -> Result<Archive> {
        let file = File::open(path).with_context(|| format!("\"{}\" cannot be opened", path.display()))?;
        let mut head = BufReader::new(file.try_clone()?);
        let is_ours = format(&mut head)?;
        let Some(format) = is_ours else {
            bail!("\"{}\" is no archive of timedb", path.display());
        };
        if format != FORMAT {
            bail!(
                "\"{}\" is an archive of format {format}, and this command knows format {FORMAT} alone\nHINT:  Use the command of the timedb that it is to be imported into, or a newer one.",
                path.display()
            );
        }
        let length = file.metadata()?.len();
        let body = check_sum(&file, length)?;
        // Both read at one place of the file.
        head.rewind()?;
        line(&mut head)?;
        let header = line(&mut head)?;
        let start = head.stream_position()?;
        let header = serde_json::from_str(&header).context("the header cannot be read")?;
        let mut file = head.into_inner();
        file.seek(SeekFrom::Start(start))?;
        let mut rows = zstd::Decoder::new(file.take(body - start))?;
        rows.window_log_max(WINDOW)?;
        Ok(Archive {
            header,
            rows: BufReader::with_capacity(1 << 16, rows),
        })
    }
}

/// The number of the format, if it is an archive at all.
fn format(head: &mut BufReader<File>) -> Result<Option<u32>> {
    let Ok(first) = line(head) else { return Ok(None) };
    Ok(first.strip_prefix(MAGIC).and_then(|number| number.parse().ok()))
}

fn line(head: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    head.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        bail!("the file ends too soon");
    }
    Ok(String::from_utf8(line)?)
}

/// Where the checksum stands, if it is that of what stands before it.
fn check_sum(mut file: &File, length: u64) -> Result<u64> {
    let damaged =
        "the file is damaged: its checksum is another\nHINT:  It was not written to its end, or changed since.";
    let body = length.checked_sub(TRAILER_BYTES).context(damaged)?;
    file.seek(SeekFrom::Start(0))?;
    let mut sum = Sha256::new();
    let mut rest = BufReader::with_capacity(1 << 20, file.take(body));
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        sum.update(bytes);
        let read = bytes.len();
        rest.consume(read);
    }
    let mut trailer = String::new();
    file.seek(SeekFrom::Start(body))?;
    file.take(TRAILER_BYTES).read_to_string(&mut trailer).context(damaged)?;
    if trailer != format!("sha256 {}\n", hex(&sum.finalize())) {
        bail!(damaged);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
