//! The administration of the cluster, for the function that makes topics.

use aws_config::SdkConfig;
use kafka::{Admin, Config};

use crate::{StartError, secrets::kafka_secrets};

/// Reads the secrets and makes the client. Connects to nothing yet.
///
/// # Errors
/// A secret or a property is wrong.
pub async fn connect_admin(config: &Config, sdk: &SdkConfig) -> Result<Admin, StartError> {
    let secrets = kafka_secrets(sdk, config).await?;
    Ok(Admin::new(&config.connection(&secrets)?)?)
}
