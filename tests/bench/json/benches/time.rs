//! Times every reader on every body, the copies of the bodies apart.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use readers::{Body, Input, Policy, Reader};
use std::time::Duration;

/// The most bytes of copies that wait to be read: they stay in the cache nearest to the core but one.
const WAITING: usize = 256 << 10;

fn readers(criterion: &mut Criterion) {
    let policy = Policy::default();
    for body in Body::all() {
        let bytes = body.text.len();
        let mut group = criterion.benchmark_group(body.name);
        group.throughput(Throughput::Bytes(bytes as u64));
        let waiting = BatchSize::NumIterations((WAITING / bytes) as u64);
        for reader in Reader::ALL {
            // Panics where the body is refused.
            reader.read(&policy, &mut Input::new(reader, &body));
            group.bench_function(BenchmarkId::from_parameter(reader.name()), |bencher| {
                bencher.iter_batched_ref(
                    || Input::new(reader, &body),
                    |input| reader.read(&policy, input),
                    waiting,
                );
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(50)
        .nresamples(10_000)
        .without_plots();
    targets = readers
}
criterion_main!(benches);
