//! What is being measured at the moment: a line that moves on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: Option<ProgressBar>,
    workload: String,
}

impl Progress {
    pub fn start(workloads: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(workloads as u64);
            let style = "{spinner} {elapsed_precise} [{bar:20}] {pos}/{len} {msg}";
            bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            workload: String::new(),
        }
    }

    pub fn workload(&mut self, name: &str) {
        name.clone_into(&mut self.workload);
        self.step("…");
    }

    pub fn workload_done(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Something that takes a while.
    pub fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{} {what}", self.workload)),
            None => eprintln!("{} {what}", self.workload),
        }
    }

    /// One of many: only on a terminal.
    pub fn tick(&self, what: &str, peer: &str, repetition: usize, repetitions: usize) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {what}: {peer} {repetition}/{repetitions}", self.workload));
        }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
