//! One event, on tables of 10, ten thousand and a million connections, in random order.
#![allow(missing_docs, reason = "the macro of the harness writes a function without")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use hangup::{Answer, Command, Hint, Input, Moment, Outcome, Plan, Policy};
use hangup_bench::{ByHand, InMap, SIZES, received, shuffled, table};

const NOW: Moment = Moment::from_millis(5);

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(30);
    group
}

/// The things one after the other, for ever.
fn endless<T: Copy>(things: &[T]) -> impl FnMut() -> T + '_ {
    let mut rest = things.iter().cycle();
    move || *rest.next().expect("there are some")
}

/// "100 bytes were received", and what is to be done then.
fn input(criterion: &mut Criterion) {
    let mut group = group(criterion, "received");
    for size in SIZES {
        let (mut table, keys) = table(size, Policy::default());
        let keys = shuffled(keys);
        let mut next = endless(&keys);
        group.bench_function(BenchmarkId::new("table", size), |bencher| {
            bencher
                .iter(|| table.input(next(), black_box(received(100)), NOW).is_ok_and(|wants| wants.receive));
        });
        let (mut by_hand, tokens) = ByHand::new(size);
        let tokens = shuffled(tokens);
        let mut next = endless(&tokens);
        group.bench_function(BenchmarkId::new("slab", size), |bencher| {
            bencher.iter(|| by_hand.receive(next(), black_box(100), NOW.as_millis()));
        });
        let (mut in_map, tokens) = InMap::new(size);
        let tokens = shuffled(tokens);
        let mut next = endless(&tokens);
        group.bench_function(BenchmarkId::new("HashMap", size), |bencher| {
            bencher.iter(|| in_map.receive(next(), black_box(100), NOW.as_millis()));
        });
    }
    group.finish();
}

/// One turn of a server: a hint, a receive, output, a send. Four inputs.
fn turn(criterion: &mut Criterion) {
    let mut group = group(criterion, "turn of four inputs");
    let said = |answer| Input::Outcome(Outcome::Immediate(answer));
    let inputs = [
        Input::Hint(Hint::READABLE),
        said(Answer::Received(100)),
        Input::Command(Command::Output(500)),
        said(Answer::Sent(500)),
    ];
    for size in SIZES {
        let (mut table, keys) = table(size, Policy::default());
        let keys = shuffled(keys);
        let mut next = endless(&keys);
        group.bench_function(BenchmarkId::new("table", size), |bencher| {
            bencher.iter(|| {
                let key = next();
                black_box(inputs).map(|input| table.input(key, input, NOW).is_ok())
            });
        });
    }
    group.finish();
}

/// What deadlines cost, for each event.
fn deadlines(criterion: &mut Criterion) {
    let mut group = group(criterion, "deadlines");
    for size in SIZES {
        // Output, and none: each arms another deadline, and files the place anew if it comes earlier.
        let (mut armed, keys) = table(size, Policy::default());
        let keys = shuffled(keys);
        let mut next = endless(&keys);
        group.bench_function(BenchmarkId::new("arm two", size), |bencher| {
            bencher.iter(|| {
                let key = next();
                let output = armed.input(key, Input::Command(Command::Output(1)), NOW).is_ok();
                output & armed.input(key, Input::Command(Command::Output(0)), NOW).is_ok()
            });
        });
        // A clock that moves on by a millisecond every 128 events, and a look at the deadlines.
        let mut next = endless(&keys);
        let mut events = 0_u64;
        group.bench_function(BenchmarkId::new("renew", size), |bencher| {
            bencher.iter(|| {
                events += 1;
                let now = Moment::from_millis(10 + events / 128);
                if events & 127 == 0 {
                    while armed.expire(now).is_some() {}
                }
                armed.input(next(), black_box(received(100)), now).is_ok()
            });
        });
        expire(&mut group, size);
    }
    group.finish();
}

/// Connections that began at different moments, all of which are idle too long: time for each.
fn expire(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let policy = Policy { idle: Some(Duration::from_secs(60)), ..Policy::default() };
    group.bench_function(BenchmarkId::new("expire", size), |bencher| {
        bencher.iter_custom(|iterations| {
            let mut taken = Duration::ZERO;
            let mut done = 0;
            while done < iterations {
                let (mut table, keys) = table(size, policy);
                for (at, &key) in shuffled(keys).iter().enumerate() {
                    let then = Moment::from_millis((at % 60_000) as u64);
                    assert!(table.input(key, received(1), then).is_ok());
                }
                let start = Instant::now();
                let mut passed = 0;
                while passed < size {
                    // As an event loop does: it sleeps until the table says so, and a little longer.
                    let next = table.next_deadline().expect("some are left");
                    let now = Moment::from_millis(next.as_millis() + 5);
                    while table.expire(now).is_some() {
                        passed += 1;
                    }
                }
                taken += start.elapsed();
                done += passed as u64;
            }
            taken.mul_f64(iterations as f64 / done as f64)
        });
    });
}

/// From the accept to the release.
fn whole_life(criterion: &mut Criterion) {
    let mut group = group(criterion, "whole life");
    let said = |answer| Input::Outcome(Outcome::Immediate(answer));
    let (mut table, _keys) = table(10_000, Policy::default());
    group.bench_function("seven inputs and a release", |bencher| {
        bencher.iter(|| {
            let key = table.vacant().expect("not full").accept(7, NOW);
            for input in [
                said(Answer::Registered),
                Input::Hint(Hint::READABLE),
                said(Answer::Received(100)),
                Input::Command(Command::Output(500)),
                said(Answer::Sent(500)),
                Input::Command(Command::Close(Plan::Abort)),
                said(Answer::Deregistered),
            ] {
                black_box(table.input(key, black_box(input), NOW).is_ok());
            }
            table.release(key, NOW).map(|released| released.report.sent)
        });
    });
    group.finish();
}

criterion_group!(benches, input, turn, deadlines, whole_life);
criterion_main!(benches);
