//! Where an answer goes to: the standard output, or a file that is there when all of it is, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::interrupt;

pub struct Destination {
    sink: BufWriter<Sink>,
    file: Option<Unfinished>,
}

enum Sink {
    Out(io::Stdout),
    File(File),
}

/// A file beside the one that is asked for. It goes where it is not finished.
struct Unfinished {
    own: PathBuf,
    asked: PathBuf,
    may_replace: bool,
}

impl Destination {
    /// A file that is there stays, unless it may be replaced.
    pub fn open(path: Option<&Path>, may_replace: bool) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::of(Sink::Out(stdout()), None));
        };
        let told = || path.display().to_string();
        // A link stays one.
        let asked = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&asked) {
            Ok(there) if there.is_dir() => bail!("{} is a directory", told()),
            Ok(there) if !there.is_file() => {
                let file = OpenOptions::new().write(true).open(&asked).with_context(told)?;
                return Ok(Self::of(Sink::File(file), None));
            }
            Ok(_) if !may_replace => bail!("{} exists\nHINT:  --force replaces it.", told()),
            _ => {}
        }
        let mut name = asked.file_name().context("a file needs a name")?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let own = asked.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&own)
            .with_context(told)?;
        interrupt::unfinished(Some(own.clone()));
        let unfinished = Unfinished {
            own,
            asked,
            may_replace,
        };
        Ok(Self::of(Sink::File(file), Some(unfinished)))
    }

    fn of(sink: Sink, file: Option<Unfinished>) -> Self {
        Self {
            sink: BufWriter::with_capacity(1 << 18, sink),
            file,
        }
    }

    /// Whether it is a file that can be closed and named.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// All of it has been written.
    pub fn finish(mut self) -> Result<()> {
        self.sink.flush()?;
        if let (Sink::File(file), Some(unfinished)) = (self.sink.get_ref(), &self.file) {
            file.sync_all()?;
            unfinished.publish()?;
        }
        Ok(())
    }
}

impl Unfinished {
    fn publish(&self) -> Result<()> {
        let told = || self.asked.display().to_string();
        if self.may_replace {
            return fs::rename(&self.own, &self.asked).with_context(told);
        }
        // A link is not made over a file that has come in the meantime, as a name is given; not every disk has links.
        match fs::hard_link(&self.own, &self.asked) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!("{} exists by now", told()),
            Err(_) => fs::rename(&self.own, &self.asked).with_context(told),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        fs::remove_file(&self.own).ok();
        interrupt::unfinished(None);
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Out(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Out(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}
