//! Peers take turns, so that whatever else the machine does falls on all of them alike.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::flat_read::FlatRead;
use crate::peers::Peer;
use crate::progress::Progress;
use crate::statistics::Spread;

type Turn<'a> = Box<dyn FnMut(usize) -> Result<Duration> + 'a>;

pub struct Contest<'a> {
    what: String,
    warm_up: usize,
    repetitions: usize,
    contenders: Vec<(&'static str, Turn<'a>)>,
}

impl<'a> Contest<'a> {
    pub fn new(what: impl Into<String>, warm_up: usize, repetitions: usize) -> Self {
        Self {
            what: what.into(),
            warm_up,
            repetitions,
            contenders: Vec::new(),
        }
    }

    /// `turn` is told which repetition it is, those of the warm-up included.
    pub fn with(mut self, peer: &'static str, turn: impl FnMut(usize) -> Result<Duration> + 'a) -> Self {
        self.contenders.push((peer, Box::new(turn)));
        self
    }

    pub fn with_if(self, peer: &'static str, turn: Option<impl FnMut(usize) -> Result<Duration> + 'a>) -> Self {
        match turn {
            Some(turn) => self.with(peer, turn),
            None => self,
        }
    }

    /// The same read of each of them.
    pub fn of_reads(self, peers: impl IntoIterator<Item = &'a mut (dyn Peer + 'a)>, read: &'a FlatRead) -> Self {
        peers.into_iter().fold(self, |contest, peer| {
            contest.with(peer.name(), move |_| peer.time(read))
        })
    }

    /// Each peer's times, in milliseconds.
    pub fn run(mut self, progress: &Progress) -> Result<Vec<(&'static str, Spread)>> {
        progress.step(&self.what);
        let mut samples = vec![Vec::new(); self.contenders.len()];
        for repetition in 0..self.warm_up + self.repetitions {
            for ((peer, turn), samples) in self.contenders.iter_mut().zip(&mut samples) {
                progress.tick(&self.what, peer, repetition + 1, self.warm_up + self.repetitions);
                let took = turn(repetition).with_context(|| format!("{peer}: {}", self.what))?;
                if repetition >= self.warm_up {
                    samples.push(took.as_secs_f64() * 1e3);
                }
            }
        }
        let peers = self.contenders.iter().map(|(peer, _)| *peer);
        Ok(peers.zip(samples.iter().map(|samples| Spread::of(samples))).collect())
    }
}
