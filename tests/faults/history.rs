//! Many clients write, compact and read the same few series at once; every read must be one that some serial order of what
//! they did allows, and what is left in the end what all of them have written.
//!
//! They play one short game after the other, each on series of its own, so that the history that is checked stays short; all are
//! checked by [`check`]. `TIMEDB_SECONDS` says for how long.

mod check;
mod client;
mod events;

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postgres::Client;
use rand::RngExt;
use timedb_testkit::{Database, Options, assert_ordinary, one, one_of};
use uuid::Uuid;

use crate::model::{Question, Version, Withdrawal, keep_what_is_not_old};
use crate::seed::{choices, number, seed, tell};
use crate::whole::assert_whole;
use check::Tally;
use client::{Game, Player};
use events::Event;

const TEST: &str = "history";
const CLIENTS: u64 = 8;
const SECONDS: u64 = 20;
const SECONDS_OF_GAME: u64 = 2;

/// All that they do in one game, and what is stored of its series in the end.
struct Played {
    events: Vec<Event>,
    stored: Vec<Version>,
    /// Of series whose changes are followed.
    of_series: Vec<Version>,
    withdrawals: Vec<Withdrawal>,
    /// What somebody has got who asked for changes again and again.
    changes: Vec<Version>,
}

fn play(clients: &mut [Client], number: u64, seed: u64) -> Played {
    let game = Game {
        number,
        until: Instant::now() + Duration::from_secs(SECONDS_OF_GAME),
        runs: Mutex::default(),
        taken: Mutex::default(),
    };
    // Everybody knows them from the beginning.
    for series in game.all() {
        let _: Uuid = one_of(&mut clients[0], "SELECT timedb.create_series($1)", &[&series]);
    }
    let begun: Timestamp = one(&mut clients[0], "SELECT timedb.settled_time()");
    let mut events = Vec::new();
    let mut changes = Vec::new();
    thread::scope(|scope| {
        let players: Vec<_> = clients
            .iter_mut()
            .zip(0..)
            .map(|(client, of)| {
                let mut player = Player::new(client, &game, choices(seed, of), (of == 0).then_some(begun));
                scope.spawn(move || {
                    player.play();
                    (player.events, player.changes)
                })
            })
            .collect();
        for player in players {
            let (of_player, its_changes) = player.join().expect("a client");
            events.extend(of_player);
            changes.extend(its_changes);
        }
    });
    let client = &mut clients[0];
    // What has come since the last time.
    let last = changes.last().map_or(begun, |version| version.change);
    let mut follower = Player::new(client, &game, choices(seed, 0), Some(last));
    follower.follow();
    changes.extend(follower.changes);
    let withdrawals = Withdrawal::all(client).expect("withdrawals");
    for lasting in withdrawals.iter().filter(|withdrawal| withdrawal.lasts(None)) {
        client
            .execute("SELECT timedb.restore_run($1)", &[&lasting.run])
            .expect("it is restored");
    }
    let of_series = Question::EVERYTHING.ask(client, Some(&game.series())).expect("a read");
    let stored = Question::EVERYTHING.ask(client, Some(&game.lasting())).expect("a read");
    Played {
        events,
        stored,
        of_series,
        withdrawals,
        changes,
    }
}

#[test]
fn every_read_is_one_that_a_serial_order_of_all_that_many_clients_do_allows() {
    let seed = seed(TEST);
    let mut random = choices(seed, u64::MAX);
    let cluster = Options::default().start().expect("a server of our own");
    let database: Database = cluster.database(TEST).expect("a database");
    let (alice, _) = database.two_tenants();
    let admin = database.create_user(alice.tenant_id, "admin@tenant-a.com", "admin");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| database.authenticated(&admin)).collect();
    keep_what_is_not_old(&mut clients[0]);
    assert_ordinary(&mut clients[0]);
    let begun = Instant::now();
    let games = number("TIMEDB_SECONDS").unwrap_or(SECONDS).div_ceil(SECONDS_OF_GAME);
    let mut tally = Tally::default();
    for number in 0..games {
        let played = play(&mut clients, number, random.random());
        tally.add(check::check(&played.events, &played.stored, &played.withdrawals));
        tally.add(check::assert_followed(played.changes, &played.of_series));
    }
    assert_whole(&mut database.admin());
    tally.assert_premise();
    tell(&format!("{TEST}: {tally:?}, in {:?}", begun.elapsed()));
}
