//! A randomised attacker against a naive model of who is logged in.
//!
//! One session as `app`, and another as `caller`, does what a session can do, in any order: log in and out in every way there is, transactions,
//! savepoints, resets, settings, roles, prepared and parallel plans, cursors, temporary tables, forgeries and writes.
//! Meanwhile operators revoke, expire, deactivate and bind. After every step every table, view and function must show
//! exactly the rows of the tenant that the model says, or none.
//!
//! `TIMEDB_SEED` begins with the case of that number, `TIMEDB_STEPS` says how many steps to go: with 1, it is that case alone.

mod check;
mod model;
mod operation;
mod rules;
mod session;
mod sql;
mod world;

use std::env;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{Write as _, stderr};
use std::time::Instant;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use model::Model;
use operation::{Key, Operation};
use session::Session;
use world::{Role, World};

const STEPS: usize = 10_000;

/// A session from its beginning.
#[derive(Clone, Debug)]
struct Case {
    /// A key in the connection's options.
    options: Option<Key>,
    /// How many steps it goes without a look, and so perhaps before the library is loaded.
    blind: usize,
    operations: Vec<Operation>,
}

fn case() -> impl Strategy<Value = Case> {
    let options = prop::option::weighted(0.1, operation::key(1));
    let blind = prop_oneof![3 => Just(0_usize), 1 => 1..5_usize];
    (options, blind, operation::operations()).prop_map(|(options, blind, operations)| Case {
        options,
        blind,
        operations,
    })
}

/// How far it went.
#[derive(Clone, Default, Debug)]
struct Tally {
    cases: usize,
    /// Operations after which everything was looked at.
    steps: usize,
    /// Operations in a transaction that had failed, where there is nothing to see.
    aborted: usize,
    acting: usize,
}

struct Play {
    world: World,
    look_sql: String,
    tally: Tally,
}

impl Play {
    fn begin(role: Role) -> Self {
        let world = World::made(role);
        let look_sql = check::look_sql(&world);
        Self {
            world,
            look_sql,
            tally: Tally::default(),
        }
    }

    /// Plays a case; what goes wrong is told with all that led to it.
    fn play(&mut self, case: &Case) -> Result<(), Failure> {
        self.world.restore();
        let mut model = Model::of(self.world.key_rows(), self.world.rows(), self.world.role.selects());
        if let Some(key) = case.options {
            model.connect_with(key);
        }
        let mut session = Session::open(&self.world, model.options);
        self.tally.cases += 1;
        let told = |step, reason, session: &Session| Failure {
            step,
            transcript: session.transcript.join("\n"),
            reason,
        };
        let mut blind = case.blind;
        let mut was_aborted = false;
        for (step, operation) in case.operations.iter().enumerate() {
            // One statement is enough to see that a failed transaction refuses all; others would only wait for its end.
            if was_aborted && !rules::ends_abort(operation) {
                continue;
            }
            was_aborted = model.is_aborted();
            self.step(operation, &mut blind, &mut session, &mut model)
                .map_err(|reason| told(step, reason, &session))?;
            was_aborted &= model.is_aborted();
        }
        self.end(&mut session, &mut model)
            .map_err(|reason| told(case.operations.len(), reason, &session))
    }

    /// An operation, and what is to be seen then.
    fn step(
        &mut self,
        operation: &Operation,
        blind: &mut usize,
        session: &mut Session,
        model: &mut Model,
    ) -> Result<(), String> {
        let answer = session.run(operation, &mut self.world, model);
        model.follow(operation, &answer)?;
        model.made += 1;
        if model.is_aborted() {
            self.tally.aborted += 1;
        } else if *blind > 0 {
            *blind -= 1;
        } else {
            check::look(session, model, &self.look_sql)?;
            self.tally.steps += 1;
            self.tally.acting += usize::from(model.tenant().is_some());
        }
        Ok(())
    }

    /// What has been committed lies with the tenant it is meant for.
    fn end(&mut self, session: &mut Session, model: &mut Model) -> Result<(), String> {
        session.query("ROLLBACK");
        model.roll_back(false);
        let (stored, expected) = (self.world.stored(), World::lines(&model.now.rows));
        if stored == expected {
            return Ok(());
        }
        Err(format!("stored: {stored:?}, expected {expected:?}"))
    }

    /// Cases until there have been enough steps.
    fn run(&mut self, seeds: impl Iterator<Item = u64>, steps: usize) {
        for seed in seeds {
            if self.tally.steps >= steps {
                break;
            }
            let case = of_seed(seed);
            if let Err(failure) = self.play(&case) {
                let tally = self.tally.clone();
                let failure = self.shorten(case, failure);
                panic!("replay with TIMEDB_SEED={seed} TIMEDB_STEPS=1; after {tally:?}, shortened:\n\n{failure}");
            }
        }
    }

    /// Leaves out, ever less at a time, whatever the failure does not need. What then fails may fail otherwise.
    fn shorten(&mut self, mut case: Case, mut failure: Failure) -> Failure {
        case.operations.truncate(failure.step + 1);
        let plain = Case {
            options: None,
            blind: 0,
            ..case.clone()
        };
        if let Err(same) = self.play(&plain) {
            (case, failure) = (plain, same);
        }
        let mut size = case.operations.len().div_ceil(2);
        loop {
            let before = case.operations.len();
            for start in (0..before).step_by(size).rev() {
                let mut shorter = case.without(start, size);
                if let Err(same) = self.play(&shorter) {
                    shorter.operations.truncate(same.step + 1);
                    (case, failure) = (shorter, same);
                }
            }
            match size {
                1 if case.operations.len() == before => return failure,
                _ => size = size.div_ceil(2),
            }
        }
    }
}

impl Case {
    fn without(&self, start: usize, count: usize) -> Self {
        let mut shorter = self.clone();
        let length = shorter.operations.len();
        let range = start.min(length)..(start + count).min(length);
        shorter.operations.drain(range);
        shorter
    }
}

/// What went wrong, and after how many operations.
struct Failure {
    step: usize,
    transcript: String,
    reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}\n\n{}\n", self.transcript, self.reason)
    }
}

fn of_seed(seed: u64) -> Case {
    let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let tree = case().new_tree(&mut runner);
    tree.expect("nothing is rejected").current()
}

/// Also where the output of tests that pass is hidden.
fn tell(line: &str) {
    let _ = writeln!(stderr(), "the randomised attacker: {line}");
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={text:?} is not a number")))
}

#[test]
fn whatever_a_session_does_it_sees_its_tenant_or_nothing() {
    play_as(Role::App, STEPS);
}

#[test]
fn whatever_a_caller_does_functions_show_her_tenant_or_nothing_and_relations_are_refused() {
    play_as(Role::Caller, STEPS / 2);
}

fn play_as(role: Role, steps: usize) {
    let begun = Instant::now();
    let mut play = Play::begin(role);
    let first = number("TIMEDB_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) >> 16);
    tell(&format!(
        "as {}, the first case has TIMEDB_SEED={first}, the next one more",
        role.name()
    ));
    let wanted = number("TIMEDB_STEPS").map(|steps| steps as usize);
    play.run(first.., wanted.unwrap_or(steps));
    let Tally { steps, acting, .. } = play.tally;
    assert!(
        wanted.is_some() || acting > steps / 5 && acting < steps * 4 / 5,
        "the premise: it is often somebody, often nobody: {:?}",
        play.tally
    );
    tell(&format!(
        "as {}, {:?} in {:?}",
        role.name(),
        play.tally,
        begun.elapsed()
    ));
}
