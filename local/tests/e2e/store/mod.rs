//! The DynamoDB store on the embedded engine, over HTTP: the contract, the faults that only a proxy can inject, and what
//! a coupon costs.

mod contract;
mod cost;
mod dynamo;
mod faults;
mod outage;
