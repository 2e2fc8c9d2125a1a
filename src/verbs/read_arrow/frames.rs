//! The rows of a read in frames, each of as many as it may have: a series goes on in the next where it does not fit.

use crate::error::Result;
use crate::pg::cancel::answer_cancel;
use crate::verbs::read::{LookedAt, Reading, Shown};
use timedb_core::answer::{Frame, Most, VersionCode};

pub struct Frames {
    reading: Reading,
    most: Most,
    /// The series whose rows are being taken; none where the next is still to be read.
    taken: Option<Taken>,
}

/// A series of which some rows may be in a frame already.
struct Taken {
    shown: Shown,
    /// What a frame calls the versions that it has rows of, and which these are.
    codes: Vec<Option<VersionCode>>,
    coded: Vec<usize>,
}

impl Frames {
    pub fn of(reading: Reading, most: Most) -> Frames {
        Frames {
            reading,
            most,
            taken: None,
        }
    }

    /// The next rows; none where all have been.
    pub fn next(&mut self) -> Result<Frame> {
        let mut frame = Frame::new();
        while !frame.is_full(self.most) {
            let taken = match &mut self.taken {
                Some(taken) => taken,
                none => match self.reading.next()? {
                    Some(shown) => none.insert(Taken::of(shown)),
                    None => break,
                },
            };
            if taken.is_all_added(&mut frame, self.most)? {
                self.taken = None;
            }
        }
        Ok(frame)
    }

    pub fn looked_at(&self) -> LookedAt {
        self.reading.looked_at
    }
}

impl Taken {
    fn of(shown: Shown) -> Taken {
        Taken {
            codes: vec![None; shown.opened.versions()],
            coded: Vec::new(),
            shown,
        }
    }

    /// Adds what is left to a frame, and tells whether that was all of it.
    fn is_all_added(&mut self, frame: &mut Frame, most: Most) -> Result<bool> {
        self.coded.drain(..).for_each(|version| self.codes[version] = None);
        let series = frame.series(&self.shown.series);
        frame.reserve(self.shown.opened.left().min(most.rows - frame.len()));
        let mut count = 0;
        while !frame.is_full(most) {
            if count % 4096 == 0 {
                answer_cancel();
            }
            count += 1;
            let Some((version, point)) = self.shown.opened.next()? else {
                return Ok(true);
            };
            let code = match self.codes[version] {
                Some(code) => code,
                None => self.code(frame, version),
            };
            frame.push(series, code, point);
        }
        Ok(false)
    }

    #[cold]
    fn code(&mut self, frame: &mut Frame, version: usize) -> VersionCode {
        let code = frame.version(self.shown.opened.version(version));
        self.codes[version] = Some(code);
        self.coded.push(version);
        code
    }
}
