//! The runs that the rows of one upload are of: of each its known time and its workflow.

use std::collections::HashMap;
use std::rc::Rc;

use crate::blank::unless_blank;
use crate::limits::{LONGEST_WORKFLOW, MOST_UPLOAD_RUNS};
use crate::rows::fields::not_longer;
use crate::rows::{Field, Kind, Refusal};
use crate::time::Time;

/// What tells the runs of one call apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RunKey {
    /// None for the moment at which it is stored.
    pub known: Option<Time>,
    pub workflow: Rc<str>,
}

/// The runs of a call, in the order of their first rows.
#[derive(Debug)]
pub(super) struct Runs {
    /// Of rows that do not say.
    of_the_call: RunKey,
    keys: Vec<RunKey>,
    numbers: HashMap<RunKey, u32>,
    last: u32,
}

impl Runs {
    pub(super) fn of(of_the_call: RunKey) -> Runs {
        Runs {
            of_the_call,
            keys: Vec::new(),
            numbers: HashMap::new(),
            last: 0,
        }
    }

    /// The number of the run of a row that says this of it.
    pub(super) fn number(&mut self, known: Option<Time>, workflow: Option<&str>) -> Result<u32, Refusal> {
        let known = known.or(self.of_the_call.known);
        let workflow = unless_blank(workflow).unwrap_or(&self.of_the_call.workflow);
        let last = self.keys.get(self.last as usize);
        if !last.is_some_and(|last| last.known == known && *last.workflow == *workflow) {
            not_longer(workflow, LONGEST_WORKFLOW).map_err(|refusal| refusal.of(Field::WorkflowId))?;
            let workflow = match last {
                Some(last) if *last.workflow == *workflow => last.workflow.clone(),
                _ => workflow.into(),
            };
            self.last = self.keep(RunKey { known, workflow })?;
        }
        Ok(self.last)
    }

    fn keep(&mut self, key: RunKey) -> Result<u32, Refusal> {
        if let Some(&number) = self.numbers.get(&key) {
            return Ok(number);
        }
        if self.keys.len() == MOST_UPLOAD_RUNS {
            let reason = format!("is of more than {MOST_UPLOAD_RUNS} runs");
            return Err(Refusal::new(Kind::TooMany, reason));
        }
        let number = self.keys.len() as u32;
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        Ok(number)
    }

    pub(super) fn finish(self) -> Vec<RunKey> {
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_known_time_and_a_workflow_and_what_a_row_leaves_out_is_the_calls() {
        let time = |micros| Time::from_micros(micros);
        let mut runs = Runs::of(RunKey {
            known: time(1),
            workflow: "call".into(),
        });
        let said = [
            (time(2), None),
            (None, None),
            (time(1), Some(" ")),
            (time(2), Some("call")),
            (time(2), Some("other")),
            (time(1), Some("call")),
            (time(2), None),
        ];
        let numbers: Vec<u32> = said
            .map(|(known, workflow)| runs.number(known, workflow).unwrap())
            .into();
        assert_eq!(numbers, [0, 1, 1, 0, 2, 1, 0]);
        let keys: Vec<_> = runs
            .finish()
            .iter()
            .map(|run| (run.known, run.workflow.to_string()))
            .collect();
        assert_eq!(
            keys,
            [
                (time(2), "call".into()),
                (time(1), "call".into()),
                (time(2), "other".into())
            ]
        );
    }

    #[test]
    fn a_run_too_many_and_a_long_workflow_are_refused() {
        let mut runs = Runs::of(RunKey {
            known: None,
            workflow: "call".into(),
        });
        let long = "w".repeat(LONGEST_WORKFLOW + 1);
        let refusal = runs.number(None, Some(&long)).unwrap_err();
        assert_eq!((refusal.field, refusal.kind), (Some(Field::WorkflowId), Kind::TooLong));
        for micros in 0..MOST_UPLOAD_RUNS as i64 {
            runs.number(Time::from_micros(micros), None).unwrap();
        }
        assert_eq!(runs.number(Time::from_micros(7), None), Ok(7));
        assert_eq!(
            runs.number(Time::from_micros(-1), None).unwrap_err().kind,
            Kind::TooMany
        );
    }
}
