//! The sandbox's DynamoDB: the embedded one or one that runs already, the tables on it, and whether they belong to the
//! log beside them.
//!
//! Reads and writes no coupon; what is in the tables is the store's business. The embedded program is `local/dynamodb`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription,
    TableStatus,
};
use coupon_dynamodb::DynamoStore;

use crate::cli::Refused;
use crate::data::DataDir;
use crate::embedded::Embedded;
use crate::process::{Program, Spawner};
use crate::settings::{KeyAttribute, Table};

/// How long a table may take to become active.
const TABLE_MAX: Duration = Duration::from_secs(20);
/// The region of a sandbox; an embedded DynamoDB takes any.
pub const REGION: &str = "us-east-1";

/// Starts the embedded DynamoDB.
///
/// # Errors
/// It does not become ready.
pub async fn start(spawner: Spawner, binary: &Path, port: u16, data: &DataDir) -> anyhow::Result<Embedded> {
    let mut program = Program::new("dynamodb", binary);
    program.args = vec!["--port".into(), port.to_string().into(), "--data".into(), data.dynamodb().into()];
    if data.is_passing() {
        program.args.push("--passing".into());
    }
    Embedded::start(spawner, program).await
}

/// The variables with which any AWS SDK speaks to the DynamoDB at this URL. A developer's own credentials are kept, for
/// a real table wants them; without any, every SDK would search for some and find none. Their region is kept for a real
/// table, which speaks HTTPS: DynamoDB Local has other tables in another region.
#[must_use]
pub fn sdk_variables(url: &str) -> Vec<(String, String)> {
    let mut variables = vec![("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url.to_owned())];
    let inherited = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let region = inherited("AWS_REGION").filter(|_| url.starts_with("https:")).unwrap_or_else(|| REGION.to_owned());
    variables.push(("AWS_REGION".to_owned(), region));
    if let (Some(id), Some(secret)) = (inherited("AWS_ACCESS_KEY_ID"), inherited("AWS_SECRET_ACCESS_KEY")) {
        variables.extend([("AWS_ACCESS_KEY_ID".to_owned(), id), ("AWS_SECRET_ACCESS_KEY".to_owned(), secret)]);
        variables.extend(inherited("AWS_SESSION_TOKEN").map(|token| ("AWS_SESSION_TOKEN".to_owned(), token)));
    } else {
        let made_up = "sandbox".to_owned();
        variables.push(("AWS_ACCESS_KEY_ID".to_owned(), made_up.clone()));
        variables.push(("AWS_SECRET_ACCESS_KEY".to_owned(), made_up));
    }
    variables
}

/// A client for the DynamoDB at this URL, as the functions have it.
pub async fn client(url: &str) -> Client {
    DynamoStore::client(&config(url).await)
}

/// The same with the SDK's own retries and time limits: making tables on a busy machine must not fail for an answer that
/// takes more than a second, as a function's call would.
pub async fn patient_client(url: &str) -> Client {
    Client::new(&config(url).await)
}

async fn config(url: &str) -> SdkConfig {
    let variables: HashMap<_, _> = sdk_variables(url).into_iter().collect();
    let value = |name: &str| variables.get(name).cloned();
    let credentials = Credentials::new(
        value("AWS_ACCESS_KEY_ID").unwrap_or_default(),
        value("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
        value("AWS_SESSION_TOKEN"),
        None,
        "sandbox",
    );
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(value("AWS_REGION").unwrap_or_default()))
        .credentials_provider(credentials)
        .endpoint_url(url)
        .load()
        .await
}

/// Makes the tables that do not exist, and waits until all are active.
///
/// # Errors
/// DynamoDB does not answer, or refuses; a table is there with another key.
pub async fn ensure(client: &Client, tables: &[Table]) -> anyhow::Result<()> {
    for Table { name, key, .. } in tables {
        ensure_table(client, name, key).await?;
    }
    Ok(())
}

/// Makes one table unless it exists, and waits until it is active. `key` is the partition key and, if any, the
/// sort key.
///
/// # Errors
/// DynamoDB does not answer, or refuses.
pub(crate) async fn ensure_table(client: &Client, name: &str, key: &[KeyAttribute]) -> anyhow::Result<()> {
    match client.describe_table().table_name(name).send().await {
        Ok(_there) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
            make_table(client, name, key).await?;
        }
        Err(error) => {
            let why = DisplayErrorContext(error);
            bail!("it does not answer as DynamoDB ({why}); start it first, or leave --dynamodb out")
        }
    }
    let active = async {
        loop {
            let described = client.describe_table().table_name(name).send().await?;
            if let Some(found) = described.table().filter(|table| table.table_status() == Some(&TableStatus::Active)) {
                return has_key(found, name, key);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(TABLE_MAX, active)
        .await
        .map_err(|_elapsed| anyhow::anyhow!("table {name} is not active after {} s", TABLE_MAX.as_secs()))?
}

/// A table of this name may be somebody else's: nothing could be written to it, and nobody would be told why.
fn has_key(found: &TableDescription, name: &str, key: &[KeyAttribute]) -> anyhow::Result<()> {
    let shown = |name: &str, role: &KeyType, kind: &ScalarAttributeType| format!("{name} ({role}, {kind})");
    let kind_of = |name: &str| {
        let definition = found.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        definition.map_or(&ScalarAttributeType::S, AttributeDefinition::attribute_type)
    };
    let element = |key: &KeySchemaElement| shown(key.attribute_name(), key.key_type(), kind_of(key.attribute_name()));
    let has: Vec<String> = found.key_schema().iter().map(element).collect();
    let roles = [KeyType::Hash, KeyType::Range];
    let wants: Vec<String> = key.iter().zip(&roles).map(|(key, role)| shown(&key.name, role, &kind(key))).collect();
    if has == wants {
        return Ok(());
    }
    bail!(
        "table {name} has the key {}, and {} is expected; remove that table, or name another --dynamodb",
        has.join(" and "),
        wants.join(" and ")
    )
}

fn kind(key: &KeyAttribute) -> ScalarAttributeType {
    ScalarAttributeType::from(key.kind.as_str())
}

async fn make_table(client: &Client, name: &str, key: &[KeyAttribute]) -> anyhow::Result<()> {
    let mut create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (key, key_type) in key.iter().zip([KeyType::Hash, KeyType::Range]) {
        let definition = AttributeDefinition::builder().attribute_name(&key.name).attribute_type(kind(key));
        let element = KeySchemaElement::builder().attribute_name(&key.name).key_type(key_type);
        create = create.attribute_definitions(definition.build()?).key_schema(element.build()?);
    }
    if let Err(error) = create.send().await
        && !error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception())
    {
        return Err(anyhow::Error::new(error).context(format!("table {name} cannot be made")));
    }
    Ok(())
}

/// Whether the tables belong to the log whose partitions end at `ends`: no head may have decided a record that the log
/// does not have yet, or the log was made anew and its requests would pass for decided.
///
/// # Errors
/// [`Refused`] naming the coupon; DynamoDB does not answer.
pub async fn belongs_to(client: &Client, table: &str, topic: &str, ends: &BTreeMap<i32, i64>) -> anyhow::Result<()> {
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(head) = pages.next().await {
        let head = head.with_context(|| format!("table {table} cannot be read"))?;
        if let Some(refusal) = beyond_its_log(&head, topic, ends) {
            return Err(Refused(refusal).into());
        }
    }
    Ok(())
}

/// Why a head and its log do not belong together. A head without these attributes is not ours to judge here.
fn beyond_its_log(head: &HashMap<String, AttributeValue>, topic: &str, ends: &BTreeMap<i32, i64>) -> Option<String> {
    let text = |name: &str| head.get(name).and_then(|value| value.as_s().ok());
    let number = |name: &str| head.get(name).and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
    let (coupon, log) = (text("couponId")?, text("log")?);
    let (partition, applied) = (i32::try_from(number("partition")?).ok()?, number("applied")?);
    let end = ends.get(&partition).copied().unwrap_or(0);
    (log == topic && applied >= end).then(|| {
        format!(
            "tables and log do not belong together: coupon {coupon} has decided offset {applied} of {topic}-{partition}, \
             which ends at {end}. Use the broker that these tables were made with, or empty tables (another --data or \
             --dynamodb)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(applied: i64) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("couponId".to_owned(), AttributeValue::S("spring-sale".into())),
            ("log".to_owned(), AttributeValue::S("requests".into())),
            ("partition".to_owned(), AttributeValue::N("3".into())),
            ("applied".to_owned(), AttributeValue::N(applied.to_string())),
        ])
    }

    #[test]
    fn a_head_may_have_decided_the_last_record_and_none_beyond_it() {
        // Partition 3 holds the offsets 0..=9, so its end is 10.
        let ends = BTreeMap::from([(3, 10)]);
        assert_eq!(beyond_its_log(&head(9), "requests", &ends), None);
        let refusal = beyond_its_log(&head(10), "requests", &ends).expect("refused");
        assert!(refusal.contains("spring-sale") && refusal.contains("ends at 10"), "{refusal}");
    }

    #[test]
    fn a_head_that_has_decided_nothing_fits_an_empty_log() {
        assert_eq!(beyond_its_log(&head(-1), "requests", &BTreeMap::from([(3, 0)])), None);
        assert!(beyond_its_log(&head(0), "requests", &BTreeMap::new()).is_some());
    }

    #[test]
    fn a_head_of_another_log_is_the_apis_to_refuse() {
        assert_eq!(beyond_its_log(&head(99), "other", &BTreeMap::new()), None);
    }
}
