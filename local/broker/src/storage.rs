//! The storage behind the embedded broker: tansu's, with what it lacks for an ordinary producer and an ordinary reader.
//!
//! - An idempotent producer whose records timed out raises its epoch by itself (librdkafka) or asks for a higher one (Java).
//!   tansu-storage 0.6 panics at both, and at a partition that it does not know; its storage task is dead from then on.
//! - It looks every record's headers up in a table without an index, so that a fetch costs records times headers.
//! - It plans every statement anew, also for a consumer that waits and asks for every partition's end.
//! - A record that is larger than a fetch may be, 5 MiB at most, is never handed over, and nobody reads past it.
//! - Asked for the first record of a time, it answers 0 where there is nothing so late: everything, to whoever starts there.
//! - A member of a group that falls silent takes its partitions with it, and commits when it wakes up.
//!
//! Everything else is handed through. The producers' epochs: `producers.rs`; groups: `groups.rs`; what is remembered:
//! `known.rs`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tansu_sans_io::create_topics_request::CreatableTopic;
use tansu_sans_io::delete_groups_response::DeletableGroupResult;
use tansu_sans_io::delete_records_request::DeleteRecordsTopic;
use tansu_sans_io::delete_records_response::DeleteRecordsTopicResult;
use tansu_sans_io::describe_cluster_response::DescribeClusterBroker;
use tansu_sans_io::describe_configs_response::DescribeConfigsResult;
use tansu_sans_io::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use tansu_sans_io::incremental_alter_configs_request::AlterConfigsResource;
use tansu_sans_io::incremental_alter_configs_response::AlterConfigsResourceResponse;
use tansu_sans_io::list_groups_response::ListedGroup;
use tansu_sans_io::record::deflated;
use tansu_sans_io::txn_offset_commit_response::TxnOffsetCommitResponseTopic;
use tansu_sans_io::{ConfigResource, ErrorCode, IsolationLevel, ListOffset, ScramMechanism};
use tansu_storage::{
    BrokerRegistrationRequest, GroupDetail, ListOffsetResponse, MetadataResponse, NamedGroupDetail,
    OffsetCommitRequest, OffsetStage, ProducerIdResponse, Result, ScramCredential, Storage, StorageContainer, TopicId,
    Topition, TxnAddPartitionsRequest, TxnAddPartitionsResponse, TxnOffsetCommitRequest, UpdateError, Version,
};
use url::Url;
use uuid::Uuid;

use crate::groups::{Groups, formed_anew};
use crate::known::Known;
use crate::producers::Producers;

/// Larger than any record: what is not found below this is not there.
const RECORD_BYTES_MAX: u32 = 128 * 1024 * 1024;
/// Kafka's answer where a partition has no record of a time or later.
const NOTHING_SO_LATE: i64 = -1;

/// tansu's storage, and the producers that it may see.
#[derive(Clone, Debug)]
pub(crate) struct LogStorage {
    inner: StorageContainer,
    producers: Producers,
    known: Known,
    groups: Groups,
}

impl LogStorage {
    pub(crate) fn new(inner: StorageContainer, producers: Producers, groups: Groups) -> Self {
        Self { inner, producers, known: Known::default(), groups }
    }
}

#[async_trait]
impl Storage for LogStorage {
    async fn register_broker(&self, broker_registration: BrokerRegistrationRequest) -> Result<()> {
        let _writing = self.producers.writing().await;
        let done = self.inner.register_broker(broker_registration).await;
        self.known.changed();
        done
    }

    async fn create_topic(&self, topic: CreatableTopic, validate_only: bool) -> Result<Uuid> {
        let _writing = self.producers.writing().await;
        let done = self.inner.create_topic(topic, validate_only).await;
        self.known.changed();
        done
    }

    async fn incremental_alter_resource(&self, resource: AlterConfigsResource) -> Result<AlterConfigsResourceResponse> {
        let done = self.inner.incremental_alter_resource(resource).await;
        self.known.changed();
        done
    }

    async fn delete_records(&self, topics: &[DeleteRecordsTopic]) -> Result<Vec<DeleteRecordsTopicResult>> {
        let _writing = self.producers.writing().await;
        let done = self.inner.delete_records(topics).await;
        self.known.changed();
        done
    }

    async fn delete_topic(&self, topic: &TopicId) -> Result<ErrorCode> {
        let _writing = self.producers.writing().await;
        self.producers.forget();
        let done = self.inner.delete_topic(topic).await;
        self.known.changed();
        done
    }

    async fn brokers(&self) -> Result<Vec<DescribeClusterBroker>> {
        self.inner.brokers().await
    }

    async fn produce(&self, transaction_id: Option<&str>, topition: &Topition, batch: deflated::Batch) -> Result<i64> {
        if batch.is_idempotent() {
            self.producers.admit(topition, batch.producer_id, batch.producer_epoch).await?;
        }
        let _writing = self.producers.writing().await;
        // Nobody cancels this: a connection's task serves one request after the other until the process ends.
        let written = self.inner.produce(transaction_id, topition, batch).await;
        self.known.written(topition);
        written
    }

    async fn fetch(
        &self,
        topition: &'_ Topition,
        offset: i64,
        min_bytes: u32,
        max_bytes: u32,
        isolation: IsolationLevel,
    ) -> Result<Vec<deflated::Batch>> {
        if offset >= self.offset_stage(topition).await?.high_watermark() {
            return Ok(Vec::new());
        }
        let mut limit = max_bytes;
        loop {
            let batches = self.inner.fetch(topition, offset, min_bytes, limit, isolation).await?;
            // Nothing is a batch of no records.
            if batches.iter().any(|batch| batch.record_count > 0) || limit >= RECORD_BYTES_MAX {
                return Ok(batches);
            }
            limit = limit.saturating_mul(2);
        }
    }

    async fn offset_stage(&self, topition: &Topition) -> Result<OffsetStage> {
        match self.known.stage(topition) {
            Ok(stage) => Ok(stage),
            Err(seen) => {
                let stage = self.inner.offset_stage(topition).await?;
                self.known.learn_stage(topition, stage, seen);
                Ok(stage)
            }
        }
    }

    async fn list_offsets(
        &self,
        isolation_level: IsolationLevel,
        offsets: &[(Topition, ListOffset)],
    ) -> Result<Vec<(Topition, ListOffsetResponse)>> {
        let mut listed = self.inner.list_offsets(isolation_level, offsets).await?;
        for ((_, asked), (_, told)) in offsets.iter().zip(&mut listed) {
            if matches!(asked, ListOffset::Timestamp(_)) && told.timestamp.is_none() {
                told.offset = Some(NOTHING_SO_LATE);
            }
        }
        Ok(listed)
    }

    async fn offset_commit(
        &self,
        group_id: &str,
        retention_time_ms: Option<Duration>,
        offsets: &[(Topition, OffsetCommitRequest)],
    ) -> Result<Vec<(Topition, ErrorCode)>> {
        let _writing = self.producers.writing().await;
        self.inner.offset_commit(group_id, retention_time_ms, offsets).await
    }

    async fn offset_fetch(
        &self,
        group_id: Option<&str>,
        topics: &[Topition],
        require_stable: Option<bool>,
    ) -> Result<BTreeMap<Topition, i64>> {
        self.inner.offset_fetch(group_id, topics, require_stable).await
    }

    async fn committed_offset_topitions(&self, group_id: &str) -> Result<BTreeMap<Topition, i64>> {
        self.inner.committed_offset_topitions(group_id).await
    }

    async fn metadata(&self, topics: Option<&[TopicId]>) -> Result<MetadataResponse> {
        match self.known.metadata(topics) {
            Ok(metadata) => Ok(metadata),
            Err(seen) => {
                let metadata = self.inner.metadata(topics).await?;
                self.known.learn_metadata(topics, metadata.clone(), seen);
                Ok(metadata)
            }
        }
    }

    async fn upsert_user_scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
        credential: ScramCredential,
    ) -> Result<()> {
        self.inner.upsert_user_scram_credential(user, mechanism, credential).await
    }

    async fn delete_user_scram_credential(&self, user: &str, mechanism: ScramMechanism) -> Result<()> {
        self.inner.delete_user_scram_credential(user, mechanism).await
    }

    async fn user_scram_credential(&self, user: &str, mechanism: ScramMechanism) -> Result<Option<ScramCredential>> {
        self.inner.user_scram_credential(user, mechanism).await
    }

    async fn describe_config(
        &self,
        name: &str,
        resource: ConfigResource,
        keys: Option<&[String]>,
    ) -> Result<DescribeConfigsResult> {
        self.inner.describe_config(name, resource, keys).await
    }

    async fn list_groups(&self, states_filter: Option<&[String]>) -> Result<Vec<ListedGroup>> {
        self.inner.list_groups(states_filter).await
    }

    async fn delete_groups(&self, group_ids: Option<&[String]>) -> Result<Vec<DeletableGroupResult>> {
        let _writing = self.producers.writing().await;
        self.inner.delete_groups(group_ids).await
    }

    async fn describe_groups(
        &self,
        group_ids: Option<&[String]>,
        include_authorized_operations: bool,
    ) -> Result<Vec<NamedGroupDetail>> {
        self.inner.describe_groups(group_ids, include_authorized_operations).await
    }

    async fn describe_topic_partitions(
        &self,
        topics: Option<&[TopicId]>,
        partition_limit: i32,
        cursor: Option<Topition>,
    ) -> Result<Vec<DescribeTopicPartitionsResponseTopic>> {
        self.inner.describe_topic_partitions(topics, partition_limit, cursor).await
    }

    async fn update_group(
        &self,
        group_id: &str,
        detail: GroupDetail,
        version: Option<Version>,
    ) -> Result<Version, UpdateError<GroupDetail>> {
        let _writing = self.producers.writing().await;
        let Some(current) = formed_anew(&detail) else {
            let stored = self.inner.update_group(group_id, detail.clone(), version).await;
            match &stored {
                Ok(_version) => self.groups.stored(group_id, detail),
                Err(UpdateError::Outdated { current, .. }) => self.groups.stored(group_id, (**current).clone()),
                Err(_) => {}
            }
            return stored;
        };
        // Told that what it knows is outdated, the broker carries the request out on the group as it is now.
        let version = self.inner.update_group(group_id, current.clone(), version).await?;
        self.groups.stored(group_id, current.clone());
        Err(UpdateError::Outdated { current: Box::new(current), version })
    }

    async fn init_producer(
        &self,
        transaction_id: Option<&str>,
        transaction_timeout_ms: i32,
        producer_id: Option<i64>,
        producer_epoch: Option<i16>,
    ) -> Result<ProducerIdResponse> {
        let _writing = self.producers.writing().await;
        // Asked to raise an epoch, the storage has not been written yet and panics. Kafka may answer with a new id.
        let (id, epoch) = if transaction_id.is_some() { (producer_id, producer_epoch) } else { (Some(-1), Some(-1)) };
        self.inner.init_producer(transaction_id, transaction_timeout_ms, id, epoch).await
    }

    async fn txn_add_offsets(
        &self,
        transaction_id: &str,
        producer_id: i64,
        producer_epoch: i16,
        group_id: &str,
    ) -> Result<ErrorCode> {
        self.inner.txn_add_offsets(transaction_id, producer_id, producer_epoch, group_id).await
    }

    async fn txn_add_partitions(&self, partitions: TxnAddPartitionsRequest) -> Result<TxnAddPartitionsResponse> {
        self.inner.txn_add_partitions(partitions).await
    }

    async fn txn_offset_commit(&self, offsets: TxnOffsetCommitRequest) -> Result<Vec<TxnOffsetCommitResponseTopic>> {
        self.inner.txn_offset_commit(offsets).await
    }

    async fn txn_end(
        &self,
        transaction_id: &str,
        producer_id: i64,
        producer_epoch: i16,
        committed: bool,
    ) -> Result<ErrorCode> {
        let done = self.inner.txn_end(transaction_id, producer_id, producer_epoch, committed).await;
        self.known.changed();
        done
    }

    async fn maintain(&self, now: SystemTime) -> Result<()> {
        let _writing = self.producers.writing().await;
        let done = self.inner.maintain(now).await;
        self.known.changed();
        done
    }

    async fn cluster_id(&self) -> Result<String> {
        self.inner.cluster_id().await
    }

    async fn node(&self) -> Result<i32> {
        self.inner.node().await
    }

    async fn advertised_listener(&self) -> Result<Url> {
        self.inner.advertised_listener().await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
}
