//! What `deploy/kubernetes` and `deploy/helm` make of a cluster: rendered by kubectl and helm, checked strictly against
//! the schemas of Kubernetes, and held to what the gateway asks of a pod. `tests/kubernetes/run` shows the table.

mod configurations;
mod pods;
mod schemas;
mod tools;
mod values;
