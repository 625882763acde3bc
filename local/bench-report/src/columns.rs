//! Every figure that a table shows, in the order in which they are shown, the same in HTML and Markdown.

use crate::data::Percentiles;
use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Ratio, Summary};
use crate::text::spread;

/// A figure of a cell: its heading, what it is, whether its ratio to A's stands beside it, and whether it is of the metered
/// runs.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Cell<'_>) -> Option<Spread>,
    compared: Compared,
    counted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    No,
    Yes,
    /// Not where somebody accepted was rejected later: A refuses such people at its door, so that of 300 a second who ask
    /// twice it accepts 150 where B and ours accept 300, and each issues 150.
    UnlessRejecting,
    /// Shown for those two where somebody was rejected; where nobody was, it would say once more what is decided.
    WhereRejecting,
}

impl Column {
    /// Whether a table of these cells has it: somebody has such a figure.
    pub(crate) fn is_shown(&self, cells: &[Cell<'_>]) -> bool {
        let says_more = self.compared != Compared::WhereRejecting || cells.iter().any(Cell::is_rejecting);
        says_more && cells.iter().any(|cell| (self.of)(cell).is_some())
    }

    pub(crate) fn is_compared(&self) -> bool {
        self.compared != Compared::No
    }

    /// A cell's figure with its spread, and of how many rounds it is where that is not all of them.
    pub(crate) fn shown(&self, cell: &Cell<'_>) -> String {
        spread((self.of)(cell), if self.counted { cell.counted_runs() } else { cell.rounds() })
    }

    /// A cell's figure by A's, where both are of the same work.
    pub(crate) fn ratio(&self, summary: &Summary<'_>, cell: &Cell<'_>) -> Option<Ratio> {
        match self.compared {
            Compared::No => None,
            Compared::Yes | Compared::WhereRejecting => summary.to_a(cell, self.of),
            Compared::UnlessRejecting => {
                summary.to_a(cell, |cell| (self.of)(cell).filter(|_figure| !cell.is_rejecting()))
            }
        }
    }
}

const fn figure(name: &'static str, of: fn(&Cell<'_>) -> Option<Spread>) -> Column {
    Column { name, of, compared: Compared::No, counted: false }
}

const fn counted(name: &'static str, of: fn(&Cell<'_>) -> Option<Spread>) -> Column {
    Column { name, of, compared: Compared::No, counted: true }
}

const fn compared(name: &'static str, of: fn(&Cell<'_>) -> Option<Spread>) -> Column {
    Column { name, of, compared: Compared::Yes, counted: false }
}

const fn of_the_accepted(name: &'static str, of: fn(&Cell<'_>) -> Option<Spread>) -> Column {
    Column { name, of, compared: Compared::UnlessRejecting, counted: false }
}

const fn of_the_issued(name: &'static str, of: fn(&Cell<'_>) -> Option<Spread>) -> Column {
    Column { name, of, compared: Compared::WhereRejecting, counted: false }
}

/// What a timed run measures.
pub(crate) const COLUMNS: [Column; 21] = [
    figure("took s", |cell| cell.timed(|run| Some(run.seconds).filter(|_| run.asked > 0))),
    of_the_accepted("accepted/s", |cell| cell.accepted_per_second()),
    of_the_accepted("decided/s", |cell| cell.decided_per_second()),
    of_the_issued("issued/s", |cell| cell.issued_per_second()),
    compared("refused/s", |cell| cell.refused_per_second()),
    figure("errors", |cell| cell.timed(|run| Some(number(run.failures())).filter(|_| run.asked > 0))),
    compared("accept p50 ms", |cell| cell.timed(|run| Some(run.accept_ms?.p50))),
    figure("p95", |cell| cell.timed(|run| Some(run.accept_ms?.p95))),
    compared("p99", |cell| cell.timed(|run| Some(run.accept_ms?.p99))),
    figure("p99.9", |cell| cell.timed(|run| Some(run.accept_ms?.p999))),
    figure("max", |cell| cell.timed(|run| Some(run.accept_ms?.max))),
    figure("mean", |cell| cell.timed(|run| Some(run.accept_ms?.mean))),
    compared("cold accept p50 ms", |cell| cell.timed(|run| Some(run.cold_accept_ms?.p50))),
    compared("p99", |cell| cell.timed(|run| Some(run.cold_accept_ms?.p99))),
    figure("refuse p99 ms", |cell| cell.timed(|run| Some(run.refuse_ms?.p99))),
    compared("decision p50 ms", |cell| cell.timed(|run| Some(run.decision_ms?.p50))),
    compared("p99", |cell| cell.timed(|run| Some(run.decision_ms?.p99))),
    figure("told p50 ms", |cell| told_ms(cell, 50.0, |ms| ms.p50)),
    figure("stock wrong p50 ms", |cell| cell.timed(|run| Some(run.stock.as_ref()?.behind_ms?.p50))),
    figure("CPU ms an answer", |cell| cell.cpu_ms_per_answer()),
    figure("memory MB", |cell| cell.memory_mb()),
];

/// What a metered run counts, by coupon issued and by refusal.
pub(crate) const COUNTED: [Column; 9] = [
    counted("write units a coupon", |cell| cell.write_units_per_coupon()),
    counted("read units a coupon", |cell| cell.read_units_per_coupon()),
    counted("records a coupon", |cell| cell.counted(|run| each(number(run.log?.records), run.issued))),
    counted("bytes a coupon", |cell| cell.counted(|run| each(number(run.log?.bytes), run.issued))),
    counted("write units a refusal", |cell| {
        cell.counted(|run| each(run.units?.write, run.refusals()).filter(|_| run.accepted == 0))
    }),
    counted("read units a refusal", |cell| {
        cell.counted(|run| each(run.units?.read, run.refusals()).filter(|_| run.accepted == 0))
    }),
    counted("records a refusal", |cell| {
        cell.counted(|run| each(number(run.log?.records), run.refusals()).filter(|_| run.accepted == 0))
    }),
    counted("bytes a refusal", |cell| {
        cell.counted(|run| each(number(run.log?.bytes), run.refusals()).filter(|_| run.accepted == 0))
    }),
    // Where there are any: the figures before are of a run that had them.
    counted("errors while counted", |cell| cell.counted(|run| Some(number(run.failures())).filter(|some| *some > 0.0))),
];

/// What the page shows in its details alone.
pub(crate) const DETAILS: [Column; 9] = [
    figure("refuse p50 ms", |cell| cell.timed(|run| Some(run.refuse_ms?.p50))),
    figure("decision p95 ms", |cell| cell.timed(|run| Some(run.decision_ms?.p95))),
    figure("p99.9", |cell| cell.timed(|run| Some(run.decision_ms?.p999))),
    figure("max", |cell| cell.timed(|run| Some(run.decision_ms?.max))),
    figure("told p99 ms", |cell| told_ms(cell, 99.0, |ms| ms.p99)),
    figure("gave up asking", |cell| cell.timed(|run| run.told_ms.and(run.gave_up).map(number))),
    figure("stock wrong p99 ms", |cell| cell.timed(|run| Some(run.stock.as_ref()?.behind_ms?.p99))),
    figure("stock right after ms", |cell| cell.timed(|run| run.stock.as_ref()?.settled_ms)),
    figure("generator CPU ms", |cell| cell.timed(|run| Some(run.generator_cpu_ms).filter(|ms| *ms > 0.0))),
];

/// How long it took until people knew, by the given percentile; without an end where so many gave up that the figure would
/// be theirs, and none where nobody counted them.
pub(crate) fn told_ms(cell: &Cell<'_>, percent: f64, figure: fn(&Percentiles) -> f64) -> Option<Spread> {
    cell.timed(|run| {
        let (told, gave_up) = (run.told_ms?, run.gave_up?);
        let is_theirs = number(gave_up) * 100.0 > number(told.count) * (100.0 - percent);
        Some(if is_theirs { f64::INFINITY } else { figure(&told) })
    })
}
