//! What a key or a role binding allows, from little to much.

use std::fmt;
use std::str::FromStr;

/// `read`; `write` is read and upload, update, create_series; `admin` is write and the users and keys of its tenant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    Read,
    Write,
    Admin,
}

/// A text that names no scope.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Scope, UnknownScope> {
        match text {
            "read" => Ok(Scope::Read),
            "write" => Ok(Scope::Write),
            "admin" => Ok(Scope::Admin),
            _ => Err(UnknownScope),
        }
    }
}

impl Scope {
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_allows_what_the_ones_before_it_allow() {
        assert!(Scope::Read < Scope::Write && Scope::Write < Scope::Admin);
    }

    #[test]
    fn only_the_exact_names_are_scopes() {
        for scope in [Scope::Read, Scope::Write, Scope::Admin] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for text in ["", "Read", "superuser", "read ", "write,admin"] {
            assert_eq!(text.parse::<Scope>(), Err(UnknownScope));
        }
    }
}
