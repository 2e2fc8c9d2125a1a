//! What is tried: each law of tenants' sizes on each number of shards and servers, at each draw of where tenants lie.

use super::balance::{Weight, loads, skew};
use super::deal::Rule;
use super::singly::{even_out, giants};
use super::tenants::{routes, shard, values};

#[derive(Clone, Copy)]
pub struct Plan {
    pub tenants: usize,
    pub draws: u64,
    pub exponents: &'static [f64],
    pub shards: &'static [usize],
    pub servers: &'static [usize],
    /// How many tenants there may be, for what the largest one then is.
    pub growth: &'static [usize],
    /// By how much the tenants of two servers grow, and those of a third do not.
    pub grown: Weight,
}

pub const PLAN: Plan = Plan {
    tenants: 100_000,
    draws: 100,
    exponents: &[0.8, 1.0, 1.2],
    shards: &[64, 1_024],
    servers: &[3, 8, 16, 64],
    growth: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    grown: 4,
};

pub struct Simulation {
    pub plan: Plan,
    pub tails: Vec<Tail>,
    pub shards: Vec<Shards>,
    pub servers: Vec<Servers>,
    pub full: Vec<Full>,
}

/// Of one exponent; shares are of all values.
pub struct Tail {
    pub exponent: f64,
    pub largest: f64,
    pub ten: f64,
    pub hundred: f64,
    pub hundredth: f64,
    /// The tenant in the middle, over the mean.
    pub middle: f64,
    /// The largest one's share, of as many tenants as [`Plan::growth`] says.
    pub grown: Vec<f64>,
}

/// One exponent on one number of logical shards.
pub struct Shards {
    pub exponent: f64,
    pub shards: usize,
    pub skew: Draws,
    /// The same of tenants counted.
    pub tenants: Draws,
}

/// The same on one number of servers.
pub struct Servers {
    pub exponent: f64,
    pub shards: usize,
    pub servers: usize,
    /// Tenants that need a server each.
    pub giants: usize,
    pub rules: Vec<Dealt>,
}

/// The same, dealt by one rule.
#[derive(Default)]
pub struct Dealt {
    pub skew: Draws,
    /// Of the servers that the giants do not have; from here on, those alone.
    pub shared: Draws,
    pub singly: Moved,
    pub added: Moved,
    /// Where a server has been added.
    pub after: Draws,
}

/// Two of three servers are full.
pub struct Full {
    pub exponent: f64,
    pub shards: usize,
    pub before: Draws,
    pub singly: Moved,
    pub whole: Moved,
}

#[derive(Default)]
pub struct Moved {
    /// Whole shards, where shards are moved.
    pub shards: Draws,
    pub tenants: Draws,
    /// Of all values.
    pub share: Draws,
    /// So many draws it did not help in.
    pub helpless: usize,
}

impl Moved {
    fn add(&mut self, shards: usize, tenants: usize, share: f64) {
        self.shards.add(shards as f64);
        self.tenants.add(tenants as f64);
        self.share.add(share);
    }
}

/// A figure of each draw.
#[derive(Default)]
pub struct Draws(Vec<f64>);

impl Draws {
    fn add(&mut self, figure: f64) {
        let at = self.0.partition_point(|other| *other <= figure);
        self.0.insert(at, figure);
    }

    /// The figure that so many of a hundred draws do not exceed.
    pub fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }
}

pub fn run(plan: &Plan) -> Simulation {
    let routes: Vec<Vec<u16>> = (1..=plan.draws).map(|seed| routes(plan.tenants, seed)).collect();
    let mut simulation = Simulation {
        plan: *plan,
        tails: Vec::new(),
        shards: Vec::new(),
        servers: Vec::new(),
        full: Vec::new(),
    };
    for &exponent in plan.exponents {
        let values = values(plan.tenants, exponent);
        simulation.tails.push(tail(plan, exponent, &values));
        for &shards in plan.shards {
            let law = Law {
                exponent,
                values: &values,
                shards,
                places: routes.iter().map(|routes| places(routes, shards)).collect(),
            };
            simulation.shards.push(law.on_shards());
            simulation.full.push(law.two_of_three_full(plan.grown));
            let on_servers = plan.servers.iter().map(|&servers| law.on_servers(servers));
            simulation.servers.extend(on_servers);
        }
    }
    simulation
}

fn places(routes: &[u16], shards: usize) -> Vec<usize> {
    routes.iter().map(|&route| shard(route, shards)).collect()
}

fn tail(plan: &Plan, exponent: f64, values: &[Weight]) -> Tail {
    let largest = |tenants: &usize| {
        let values = self::values(*tenants, exponent);
        share(&values, 1)
    };
    Tail {
        exponent,
        largest: share(values, 1),
        ten: share(values, 10),
        hundred: share(values, 100),
        hundredth: share(values, values.len() / 100),
        middle: values[values.len() / 2] as f64 * values.len() as f64 / sum(values) as f64,
        grown: plan.growth.iter().map(largest).collect(),
    }
}

fn share(values: &[Weight], first: usize) -> f64 {
    sum(&values[..first.min(values.len())]) as f64 / sum(values) as f64
}

fn sum(values: &[Weight]) -> Weight {
    values.iter().sum()
}

/// Tenants of one exponent on one number of shards.
struct Law<'a> {
    exponent: f64,
    values: &'a [Weight],
    shards: usize,
    /// Each tenant's shard, in each draw.
    places: Vec<Vec<usize>>,
}

impl Law<'_> {
    fn on_shards(&self) -> Shards {
        let mut line = Shards {
            exponent: self.exponent,
            shards: self.shards,
            skew: Draws::default(),
            tenants: Draws::default(),
        };
        for places in &self.places {
            line.skew.add(skew(&loads(self.values, places, self.shards)));
            line.tenants.add(skew(&counts(places, self.shards)));
        }
        line
    }

    fn on_servers(&self, servers: usize) -> Servers {
        let giants = giants(self.values, servers);
        let dealt = |rule: &Rule| {
            let mut dealt = Dealt::default();
            for places in &self.places {
                self.deal(*rule, places, servers, giants, &mut dealt);
            }
            dealt
        };
        Servers {
            exponent: self.exponent,
            shards: self.shards,
            servers,
            giants,
            rules: Rule::BOTH.iter().map(dealt).collect(),
        }
    }

    fn deal(&self, rule: Rule, places: &[usize], servers: usize, giants: usize, dealt: &mut Dealt) {
        let shards = loads(self.values, places, self.shards);
        let homes = rule.deal(&shards, servers);
        dealt.skew.add(skew(&loads(&shards, &homes, servers)));
        // The giants go, and the others are dealt anew.
        let (values, places) = (&self.values[giants..], &places[giants..]);
        let shards = loads(values, places, self.shards);
        let homes = rule.deal(&shards, servers);
        dealt.shared.add(skew(&loads(&shards, &homes, servers)));
        let of_tenants: Vec<usize> = places.iter().map(|&shard| homes[shard]).collect();
        move_singly(values, &of_tenants, servers, &mut dealt.singly);
        add_server(rule, (&shards, &homes, servers), places, dealt);
    }

    /// Two servers' tenants have grown, the third one's have not: moved one by one, and as whole shards.
    fn two_of_three_full(&self, grown: Weight) -> Full {
        const SERVERS: usize = 3;
        let mut line = Full {
            exponent: self.exponent,
            shards: self.shards,
            before: Draws::default(),
            singly: Moved::default(),
            whole: Moved::default(),
        };
        for places in &self.places {
            let homes = Rule::Count.deal(&vec![0; self.shards], SERVERS);
            let of_tenants: Vec<usize> = places.iter().map(|&shard| homes[shard]).collect();
            let grow = |(&value, &server): (&Weight, &usize)| if server < 2 { value * grown } else { value };
            let values: Vec<Weight> = self.values.iter().zip(&of_tenants).map(grow).collect();
            let shards = loads(&values, places, self.shards);
            line.before.add(skew(&loads(&shards, &homes, SERVERS)));
            move_singly(&values, &of_tenants, SERVERS, &mut line.singly);
            move_shards(&shards, &homes, SERVERS, places, &mut line.whole);
        }
        line
    }
}

fn move_singly(values: &[Weight], homes: &[usize], servers: usize, moved: &mut Moved) {
    let Some(moves) = even_out(values, homes, servers) else {
        moved.helpless += 1;
        return;
    };
    let moving: Weight = moves.iter().map(|one| values[one.what]).sum();
    moved.add(0, moves.len(), moving as f64 / sum(values) as f64);
}

/// The same with shards for tenants.
fn move_shards(shards: &[Weight], homes: &[usize], servers: usize, places: &[usize], moved: &mut Moved) {
    let Some(moves) = even_out(shards, homes, servers) else {
        moved.helpless += 1;
        return;
    };
    let moving: Vec<usize> = moves.iter().map(|one| one.what).collect();
    let (tenants, share) = of_shards(&moving, shards, places);
    moved.add(moving.len(), tenants, share);
}

fn add_server(rule: Rule, dealing: (&[Weight], &[usize], usize), places: &[usize], dealt: &mut Dealt) {
    let (shards, homes, servers) = dealing;
    let taken = rule.take(shards, homes, servers);
    let mut homes = homes.to_vec();
    for &shard in &taken {
        homes[shard] = servers;
    }
    dealt.after.add(skew(&loads(shards, &homes, servers + 1)));
    let (tenants, share) = of_shards(&taken, shards, places);
    dealt.added.add(taken.len(), tenants, share);
}

/// The tenants of some shards, and their share of all values.
fn of_shards(chosen: &[usize], shards: &[Weight], places: &[usize]) -> (usize, f64) {
    let counts = counts(places, shards.len());
    let tenants: Weight = chosen.iter().map(|&shard| counts[shard]).sum();
    let values: Weight = chosen.iter().map(|&shard| shards[shard]).sum();
    (tenants as usize, values as f64 / sum(shards) as f64)
}

fn counts(places: &[usize], shards: usize) -> Vec<Weight> {
    loads(&vec![1; places.len()], places, shards)
}

#[cfg(test)]
mod tests {
    use super::{Draws, PLAN, Plan, run};
    use crate::scale::page;

    #[test]
    fn a_percentile_is_the_figure_that_so_many_draws_do_not_exceed() {
        let mut draws = Draws::default();
        assert_eq!(draws.percentile(50), None);
        for figure in (1..=100).rev() {
            draws.add(f64::from(figure));
        }
        assert_eq!((draws.percentile(50), draws.percentile(95)), (Some(50.0), Some(95.0)));
    }

    #[test]
    fn the_same_plan_makes_the_same_page_every_time() {
        let small = Plan {
            tenants: 500,
            draws: 3,
            growth: &[100, 1_000],
            ..PLAN
        };
        let page = page::of(&run(&small));
        assert_eq!(page, page::of(&run(&small)));
        assert_ne!(page, page::of(&run(&Plan { draws: 4, ..small })));
    }
}
