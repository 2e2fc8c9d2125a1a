//! What each operation must come to, and what it makes of the model.

use super::model::{ABSENT, Credential, KEY_NEEDED, KEY_REFUSED, KeyRow, Model, Rows, Sight, Span, letter};
use super::operation::{
    Boundary, Control, Cursor, Isolation, Key, Look, Manage, Operation, RELATIONS, ROLES_ALLOWED, Scope, Setting,
    Tenant, USERS, Way, Write,
};
use super::session::{Answer, Refusal};

/// Whether the answer is what the model says, and if not, what it should have been.
pub type Verdict = Result<(), String>;

impl Model {
    /// Follows an operation with the answer it got.
    pub fn follow(&mut self, operation: &Operation, answer: &Answer) -> Verdict {
        let verdict = if self.is_aborted() && !ends_abort(operation) {
            self.refused(answer, &["25P02"])
        } else {
            self.come_to(operation, answer)
        };
        self.end_local();
        verdict
    }

    fn come_to(&mut self, operation: &Operation, answer: &Answer) -> Verdict {
        match *operation {
            Operation::Login { key, is_local, way } => self.login(key, is_local, way, answer),
            Operation::PreRequest { key, way } => self.pre_request(key, way, answer),
            Operation::Logout => self.done(answer, Model::log_out),
            Operation::Boundary(boundary) => self.boundary(boundary, answer),
            Operation::Setting(setting) => self.setting(setting, answer),
            Operation::Look(look) => self.look(look, answer),
            Operation::Tamper(..) => self.refused(answer, &["42501", "25006", "0A000", "25P01"]),
            Operation::Write(write) => self.write(write, answer),
            Operation::Manage(manage) => self.manage(manage, answer),
            Operation::Control(ref control) => self.control(control, answer),
        }
    }

    fn boundary(&mut self, boundary: Boundary, answer: &Answer) -> Verdict {
        let in_block = self.transaction.is_some();
        match boundary {
            Boundary::Savepoint(_) | Boundary::RollbackTo(_) | Boundary::Release(_) if !in_block => {
                self.refused(answer, &["25P01"])
            }
            Boundary::Commit { chain: true } | Boundary::Rollback { chain: true } if !in_block => {
                self.refused(answer, &["25P01"])
            }
            // A warning only.
            Boundary::Begin { .. } if in_block => self.done(answer, |_| ()),
            Boundary::Begin { isolation, read_only } => self.done(answer, |model| model.begin(isolation, read_only)),
            Boundary::Savepoint(name) => self.done(answer, |model| model.savepoint(name)),
            Boundary::RollbackTo(name) => {
                let found = self.roll_back_to(name);
                self.found(found, answer)
            }
            Boundary::Release(name) => {
                let found = self.release(name);
                self.found(found, answer)
            }
            Boundary::Commit { chain } => self.done(answer, |model| model.commit(chain)),
            Boundary::Rollback { chain } => self.done(answer, |model| model.roll_back(chain)),
            Boundary::Fail => self.refused(answer, &["22012"]),
        }
    }

    fn setting(&mut self, setting: Setting, answer: &Answer) -> Verdict {
        match setting {
            Setting::ResetAll { .. } => self.done(answer, Model::reset_all),
            // Not in a block, which catches that.
            Setting::DiscardAll { in_block: true } => self.done(answer, |_| ()),
            Setting::DiscardAll { in_block: false } => self.discard_all(answer),
            Setting::DiscardTemp => self.done(answer, |model| model.now.kept = None),
            Setting::Forge(..) => self.forge(answer),
            Setting::Key { key, is_local } => {
                let credential = self.credential(key);
                self.done(answer, |model| {
                    model.now.api_key.set(credential, span(is_local));
                })
            }
            Setting::ResetKey => self.done(answer, Model::reset_key),
            Setting::Serve { on, is_local } => self.done(answer, |model| {
                model.now.in_request.set(on, span(is_local));
            }),
            Setting::Role(which) if which < ROLES_ALLOWED => self.done(answer, |_| ()),
            Setting::Role(_) => self.refused(answer, &["42501"]),
            Setting::Plan(_) => self.done(answer, |_| ()),
        }
    }

    fn look(&mut self, look: Look, answer: &Answer) -> Verdict {
        match look {
            Look::Execute(source) | Look::CopyQuery(source) | Look::CopyTable(source)
                if !self.selects && RELATIONS.contains(&source) =>
            {
                self.refused(answer, &["42501"])
            }
            Look::Execute(source) | Look::CopyQuery(source) | Look::CopyTable(source) => {
                self.shows(&self.sight(source), answer)
            }
            Look::Deallocate => self.done(answer, |_| ()),
            Look::Declare(cursor) => self.declare(cursor, answer),
            Look::Fetch(cursor) => self.fetch(cursor, answer),
            Look::Close(cursor) => self.close(cursor, answer),
            Look::Keep => self.keep(answer),
            Look::Kept => match self.now.kept {
                None => self.refused(answer, &["42P01"]),
                Some(tenant) => self.shows(&owned_by(tenant), answer),
            },
        }
    }

    fn login(&mut self, key: Key, is_local: bool, way: Way, answer: &Answer) -> Verdict {
        // Within an HTTP request a login is the request's.
        let span = span(is_local || self.in_request());
        let in_block = self.transaction.is_some();
        match (self.standing(key), way) {
            (None, Way::Caught | Way::Undone) => self.done(answer, |model| model.refuse(span)),
            (None, _) => {
                self.refuse(span);
                self.refused_by_library(KEY_REFUSED, answer)
            }
            (Some(_), Way::Committed | Way::RolledBack) if in_block => self.refused(answer, &["2D000"]),
            (Some(_), Way::Failed) => self.refused(answer, &["22012"]),
            (Some(_), Way::Undone | Way::RolledBack) => self.done(answer, |_| ()),
            (Some(key), _) => self.done(answer, |model| model.log_in(key, span)),
        }
    }

    /// It logs out and in for the transaction; what fails is rolled back, but for the refusal.
    fn pre_request(&mut self, key: Key, way: Way, answer: &Answer) -> Verdict {
        match (self.standing(key), way) {
            (Some(_), Way::Undone) => self.done(answer, |_| ()),
            (Some(key), _) => self.done(answer, |model| model.log_in(key, Span::Transaction)),
            (None, Way::Plainly) => {
                self.refuse(Span::Transaction);
                let no_header = matches!(key, Key::Null);
                let error = if no_header { KEY_NEEDED } else { KEY_REFUSED };
                self.refused_by_library(error, answer)
            }
            (None, _) => self.done(answer, |model| model.refuse(Span::Transaction)),
        }
    }

    /// The key that is meant, if it is found and stands.
    fn standing(&self, key: Key) -> Option<usize> {
        match self.credential(key) {
            Credential::Key(key) => Some(key).filter(|key| self.is_shown(*key) && self.stands(*key)),
            _ => None,
        }
    }

    /// What the setting holds once it is set to the key; to null means to none.
    pub fn credential(&self, key: Key) -> Credential {
        match key {
            Key::Made(index) => Credential::Key(index.index(self.keys.len())),
            Key::Unknown | Key::Malformed => Credential::Bad,
            Key::Null => Credential::None,
        }
    }

    fn discard_all(&mut self, answer: &Answer) -> Verdict {
        if self.transaction.is_some() {
            return self.refused(answer, &["25001"]);
        }
        self.done(answer, |model| {
            model.reset_all();
            model.now.cursors.clear();
            model.now.kept = None;
        })
    }

    /// Before the library is loaded the setting is anybody's, and means nothing.
    fn forge(&mut self, answer: &Answer) -> Verdict {
        if answer.error.is_none() && !self.loaded {
            return Ok(());
        }
        self.refused(answer, &["42501", "42704"])
    }

    fn declare(&mut self, cursor: Cursor, answer: &Answer) -> Verdict {
        if self.transaction.is_none() && cursor == Cursor::Plain {
            return self.refused(answer, &["25P01"]);
        }
        if self.now.cursors.contains_key(&cursor) {
            return self.refused(answer, &["42P03"]);
        }
        if !self.selects {
            return self.refused(answer, &["42501"]);
        }
        self.done(answer, |model| {
            model.declared += 1;
            model.now.cursors.insert(cursor, model.declared);
            if model.transaction.is_none() {
                model.store_held_cursors();
            }
        })
    }

    /// A cursor stays with the tenant of its first FETCH.
    fn fetch(&mut self, cursor: Cursor, answer: &Answer) -> Verdict {
        let Some(number) = self.now.cursors.get(&cursor).copied() else {
            return self.refused(answer, &["34000"]);
        };
        let tenant = self.tenant();
        let fetched = *self.fetched.entry(number).or_insert(tenant);
        self.shows(&owned_by(fetched), answer)
    }

    /// No rollback brings a closed cursor back.
    fn close(&mut self, cursor: Cursor, answer: &Answer) -> Verdict {
        let Some(number) = self.now.cursors.get(&cursor).copied() else {
            return self.refused(answer, &["34000"]);
        };
        self.done(answer, |model| {
            for state in model.every_state() {
                state.cursors.retain(|_, other| *other != number);
            }
        })
    }

    fn keep(&mut self, answer: &Answer) -> Verdict {
        if self.is_read_only() {
            return self.refused(answer, &["25006"]);
        }
        if self.now.kept.is_some() {
            return self.refused(answer, &["42P07"]);
        }
        if !self.selects {
            return self.refused(answer, &["42501"]);
        }
        self.done(answer, |model| model.now.kept = Some(model.tenant()))
    }

    fn write(&mut self, write: Write, answer: &Answer) -> Verdict {
        let tenant = match self.required(Scope::Write) {
            Ok(tenant) => tenant,
            Err(error) => return self.refused_by_library(error, answer),
        };
        // Where there is nothing to move, nothing is written.
        if self.is_read_only() && !(matches!(write, Write::Compact(_)) && answer.error.is_none()) {
            return self.refused(answer, &["25006", "42704"]);
        }
        let new_value = Rows {
            series: 0,
            runs: 1,
            values: 1,
            points: 1,
        };
        let more = match write {
            Write::UploadTo(other) | Write::Update(other) | Write::UploadArrowTo(other) if other != tenant => {
                return self.refused_by_library(ABSENT, answer);
            }
            Write::Upload | Write::UploadArrow => Rows { series: 1, ..new_value },
            Write::CreateSeries => Rows {
                series: 1,
                ..Rows::default()
            },
            Write::UploadTo(_) | Write::UploadArrowTo(_) => new_value,
            // By the ids of another's series there is nothing to do.
            Write::Compact(_) => Rows::default(),
            Write::Update(_) => Rows {
                values: 1,
                ..Rows::default()
            },
        };
        self.done(answer, |model| model.now.rows[tenant as usize] += more)
    }

    fn manage(&mut self, manage: Manage, answer: &Answer) -> Verdict {
        // Any key may end itself.
        let ends_itself = match manage {
            Manage::Revoke(index) => self.own_key() == Some(index.index(self.keys.len())),
            Manage::Deactivate(_) => false,
        };
        let needed = if ends_itself { Scope::Read } else { Scope::Admin };
        let own = match self.required(needed) {
            Ok(tenant) => tenant,
            Err(error) => return self.refused_by_library(error, answer),
        };
        let of = match manage {
            Manage::Revoke(index) => self.keys[index.index(self.keys.len())].tenant,
            Manage::Deactivate(user) => tenant_of(user),
        };
        if self.is_read_only() {
            return self.refused(answer, &["25006", "42704"]);
        }
        if of != own {
            return self.refused_by_library(ABSENT, answer);
        }
        let mut old_snapshot = false;
        if let Some(open) = &mut self.transaction {
            open.changed_keys = true;
            old_snapshot = open.isolation != Isolation::ReadCommitted;
        }
        if old_snapshot && answer.error.is_some() {
            return self.refused(answer, &["40001", "42704"]);
        }
        self.done(answer, |model| match manage {
            Manage::Revoke(index) => {
                let key = index.index(model.keys.len());
                model.now.revoked.insert(key);
            }
            Manage::Deactivate(user) => {
                model.now.inactive.insert(user);
            }
        })
    }

    fn control(&mut self, control: &Control, answer: &Answer) -> Verdict {
        if self.would_block(control) {
            return Ok(());
        }
        if let Control::NewKey(user, _) = *control
            && (!self.active[user] || self.now.inactive.contains(&user))
        {
            // It would be refused from birth; or waits for who is just deactivating the user, as whoever manages users does.
            let waits = self.transaction.as_ref().is_some_and(|open| open.changed_keys);
            let is_right = |code: &str| code == "55000" || waits && code == "55P03";
            let refused = answer.error.as_ref().is_some_and(|error| is_right(&error.code));
            return if refused {
                Ok(())
            } else {
                Err(format!("expected 55000, got {answer:?}"))
            };
        }
        self.done(answer, |model| model.controlled(control))
    }

    fn controlled(&mut self, control: &Control) {
        match *control {
            Control::Revoke(index) => self.key(index).revoked = true,
            Control::Expire(index) => self.key(index).expired = true,
            Control::Restore(index) => {
                let key = index.index(self.keys.len());
                self.keys[key].revoked = false;
                self.keys[key].expired = false;
                for state in self.every_state() {
                    state.revoked.remove(&key);
                }
            }
            Control::Deactivate(user) => self.active[user] = false,
            Control::Activate(user) => {
                self.active[user] = true;
                for state in self.every_state() {
                    state.inactive.remove(&user);
                }
            }
            Control::NewKey(user, scope) => self.keys.push(KeyRow {
                tenant: tenant_of(user),
                user,
                scope,
                revoked: false,
                expired: false,
            }),
            Control::Bind(tenant, scope) => self.binding = Some((tenant, scope)),
            Control::Unbind => self.binding = None,
        }
    }

    fn key(&mut self, index: proptest::sample::Index) -> &mut KeyRow {
        let count = self.keys.len();
        &mut self.keys[index.index(count)]
    }

    fn found(&mut self, found: bool, answer: &Answer) -> Verdict {
        if found {
            self.done(answer, |_| ())
        } else {
            self.refused(answer, &["3B001"])
        }
    }

    /// It succeeds, and then this is so.
    fn done(&mut self, answer: &Answer, then: impl FnOnce(&mut Model)) -> Verdict {
        match &answer.error {
            Some(error) => Err(format!("expected success, got {error}")),
            None => {
                then(self);
                Ok(())
            }
        }
    }

    /// It fails with one of these SQLSTATEs.
    fn refused(&mut self, answer: &Answer, codes: &[&str]) -> Verdict {
        let error = self.failed(answer)?;
        if codes.contains(&error.code.as_str()) {
            return Ok(());
        }
        Err(format!("expected one of {codes:?}, got {error}"))
    }

    /// It fails with this error of the library, in the form for HTTP within a request.
    fn refused_by_library(&mut self, expected: (&str, &str), answer: &Answer) -> Verdict {
        let in_request = self.in_request();
        let error = self.failed(answer)?;
        if error.is(expected, in_request) {
            return Ok(());
        }
        Err(format!("expected {expected:?}, got {error}"))
    }

    fn failed<'a>(&mut self, answer: &'a Answer) -> Result<&'a Refusal, String> {
        self.fail();
        let rows = &answer.rows;
        let error = answer.error.as_ref();
        error.ok_or_else(|| format!("expected an error, got {rows:?}"))
    }

    fn shows(&mut self, sight: &Sight, answer: &Answer) -> Verdict {
        match sight {
            Sight::Error(error) => self.refused_by_library(*error, answer),
            Sight::Rows(expected) => {
                self.done(answer, |_| ())?;
                let shown = answer.rows.join(", ");
                if shown == *expected {
                    return Ok(());
                }
                Err(format!("expected {expected:?}, got {shown:?}"))
            }
        }
    }
}

/// What Postgres does in a transaction that has failed.
pub fn ends_abort(operation: &Operation) -> bool {
    match operation {
        Operation::Control(_) => true,
        Operation::Boundary(boundary) => matches!(
            boundary,
            Boundary::RollbackTo(_) | Boundary::Commit { .. } | Boundary::Rollback { .. }
        ),
        _ => false,
    }
}

fn owned_by(tenant: Option<Tenant>) -> Sight {
    Sight::Rows(tenant.map(letter).unwrap_or_default().into())
}

fn span(is_local: bool) -> Span {
    if is_local { Span::Transaction } else { Span::Session }
}

/// The first half of the users is tenant A's.
pub fn tenant_of(user: usize) -> Tenant {
    if user < USERS / 2 { Tenant::A } else { Tenant::B }
}
