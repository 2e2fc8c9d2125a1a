//! The simulation as a page of tables.

use std::fmt::Write;

use super::simulation::{Dealt, Draws, Moved, Plan, Simulation};
use super::singly::LIMIT;
use crate::table::{figure, grouped};

pub fn of(simulation: &Simulation) -> String {
    let plan = &simulation.plan;
    let mut page = head(plan);
    for section in [tails, growth, shards, servers, singly, added, full] {
        page.push('\n');
        page.push_str(&section(simulation));
    }
    page
}

fn head(plan: &Plan) -> String {
    format!(
        "# How many servers carry many tenants

A simulation, written by `scripts/bench.sh scale`, the same at every run; [README.md](README.md#the-simulation) says how it is
made, `docs/scale.md` what it means. {} tenants; the one of rank *r* holds *r*^−*s* of what the largest holds. Each figure is the
median of {} draws of the tenants' ids, then in brackets the one that 95 of 100 draws do not exceed, where it differs. *Skew* is
the largest over the mean: 1 is perfectly even.
",
        grouped(plan.tenants as f64),
        plan.draws
    )
}

/// A heading, and a table under it.
fn section(heading: &str, words: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("## {heading}\n\n{words}\n\n| {} |\n", columns.join(" | "));
    let _ = writeln!(text, "|{}", "---:|".repeat(columns.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn tails(simulation: &Simulation) -> String {
    let rows = simulation.tails.iter().map(|tail| {
        let mut row = vec![format!("{:.1}", tail.exponent)];
        row.extend([tail.largest, tail.ten, tail.hundred, tail.hundredth].map(percent));
        row.push(figure(tail.middle));
        row.push(format!("{}", (1.0 / tail.largest) as usize));
        row
    });
    section(
        "Who holds how much",
        "Shares of all values. The last column: on more servers than that, the largest tenant is more than a server holds on average.",
        &[
            "s",
            "the largest",
            "ten",
            "a hundred",
            "1 % of tenants",
            "the middle one, over the mean",
            "servers",
        ],
        rows,
    )
}

fn growth(simulation: &Simulation) -> String {
    let counts = simulation.plan.growth.iter().map(|&tenants| grouped(tenants as f64));
    let columns: Vec<String> = std::iter::once("s".to_owned()).chain(counts).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let rows = simulation.tails.iter().map(|tail| {
        let shares = tail.grown.iter().map(|&share| percent(share));
        std::iter::once(format!("{:.1}", tail.exponent)).chain(shares).collect()
    });
    section(
        "The largest tenant, of how many",
        "Its share of all values.",
        &columns,
        rows,
    )
}

fn shards(simulation: &Simulation) -> String {
    let rows = simulation.shards.iter().map(|line| {
        vec![
            format!("{:.1}", line.exponent),
            grouped(line.shards as f64),
            ratio(&line.skew),
            ratio(&line.tenants),
        ]
    });
    section(
        "Logical shards",
        "Skew of values, and of tenants counted.",
        &["s", "logical shards", "values", "tenants"],
        rows,
    )
}

fn servers(simulation: &Simulation) -> String {
    let rows = simulation.servers.iter().map(|line| {
        let mut row = place(line.exponent, line.shards, line.servers);
        row.extend(line.rules.iter().map(|dealt| ratio(&dealt.skew)));
        row.push(line.giants.to_string());
        row.extend(line.rules.iter().map(|dealt| ratio(&dealt.shared)));
        row
    });
    section(
        "Servers",
        "Skew where logical shards are dealt to servers by count, and by values (the heaviest first, each to the server that is lightest
by then). *Giants* are tenants who alone hold more than a server does on average. Then each giant gets a server of its own, beside so
many that the others share, and the skew is of these.",
        &[
            "s",
            "logical shards",
            "servers",
            "by count",
            "by values",
            "giants",
            "shared, by count",
            "shared, by values",
        ],
        rows,
    )
}

fn singly(simulation: &Simulation) -> String {
    let rows = simulation.servers.iter().map(|line| {
        let mut row = place(line.exponent, line.shards, line.servers);
        row.push(line.giants.to_string());
        row.extend(line.rules.iter().flat_map(|dealt| moved(&dealt.singly)));
        row
    });
    section(
        &format!("Tenants moved singly, to bring every server to {LIMIT} × the mean"),
        "The giants, each to a server of its own; then, on the servers that the others share, so many tenants with so much of what is
there, after shards were dealt by count and by values. *Not in 2*: in two draws no tenant that is too much where it is finds room;
the figures are of the others.",
        &[
            "s",
            "logical shards",
            "servers",
            "giants",
            "by count: tenants",
            "values",
            "by values: tenants",
            "values",
        ],
        rows,
    )
}

fn added(simulation: &Simulation) -> String {
    let rows = simulation.servers.iter().map(|line| {
        let mut row = place(line.exponent, line.shards, line.servers);
        row.push(percent(1.0 / (line.servers as f64 + 1.0)));
        row.extend(line.rules.iter().flat_map(added_by));
        row
    });
    section(
        "One server is added",
        "To those that are shared: whole logical shards that move to it, their tenants, their share of the values there, and the skew
before and after. *Evenly* is what the new server would hold, and no less can move. By count it gets as many shards as the others
keep; by values each server above the new mean gives what it has too much, as far as whole shards allow.",
        &[
            "s",
            "logical shards",
            "servers",
            "evenly",
            "by count: shards",
            "tenants",
            "values",
            "skew",
            "by values: shards",
            "tenants",
            "values",
            "skew",
        ],
        rows,
    )
}

fn added_by(dealt: &Dealt) -> [String; 4] {
    [
        count(&dealt.added.shards),
        count(&dealt.added.tenants),
        share(&dealt.added.share),
        format!("{} → {}", middle(&dealt.shared), middle(&dealt.after)),
    ]
}

fn full(simulation: &Simulation) -> String {
    let rows = simulation.full.iter().map(|line| {
        let mut row = vec![format!("{:.1}", line.exponent), grouped(line.shards as f64)];
        row.push(ratio(&line.before));
        row.extend(moved(&line.singly));
        row.push(count(&line.whole.shards));
        row.extend(moved(&line.whole));
        row
    });
    section(
        "Two of three servers are full",
        &format!(
            "Shards dealt by count; then every tenant of two servers grows to {} × its size and none of the third. To bring every server to
{LIMIT} × the mean, so many tenants move singly, or so many whole shards.",
            simulation.plan.grown
        ),
        &[
            "s",
            "logical shards",
            "skew",
            "singly: tenants",
            "values",
            "whole shards",
            "their tenants",
            "values",
        ],
        rows,
    )
}

fn place(exponent: f64, shards: usize, servers: usize) -> Vec<String> {
    vec![
        format!("{exponent:.1}"),
        grouped(shards as f64),
        grouped(servers as f64),
    ]
}

fn moved(moved: &Moved) -> [String; 2] {
    let tenants = match moved.helpless {
        0 => count(&moved.tenants),
        draws => format!("{}, not in {draws}", count(&moved.tenants)),
    };
    [tenants, share(&moved.share)]
}

fn ratio(draws: &Draws) -> String {
    told(draws, |figure| format!("{figure:.2}"))
}

fn middle(draws: &Draws) -> String {
    let middle = draws.percentile(50);
    middle.map_or_else(String::new, |figure| format!("{figure:.2}"))
}

fn count(draws: &Draws) -> String {
    told(draws, grouped)
}

fn share(draws: &Draws) -> String {
    told(draws, percent)
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        share if share < 1.0 => format!("{share:.2} %"),
        share => format!("{share:.1} %"),
    }
}

/// The median, and what 95 of 100 do not exceed.
fn told(draws: &Draws, form: impl Fn(f64) -> String) -> String {
    let (Some(middle), Some(high)) = (draws.percentile(50), draws.percentile(95)) else {
        return "–".to_owned();
    };
    match (form(middle), form(high)) {
        (middle, high) if middle == high => middle,
        (middle, high) => format!("{middle} ({high})"),
    }
}
