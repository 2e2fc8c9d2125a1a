use chrono::{DateTime, Utc};
use std::{env, error::Error};
use tokio_postgres::NoTls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut client, connection) = tokio_postgres::connect(&env::var("TIMEDB_DSN")?, NoTls).await?;
    tokio::spawn(connection);
    let transaction = client.transaction().await?;                   // the login ends with it
    transaction.execute("SELECT FROM timedb.authenticate($1, true)", &[&env::var("TIMEDB_API_KEY")?]).await?;
    let read = "SELECT valid_time, value FROM timedb.read(series_keys => $1)";
    for row in transaction.query(read, &[&["wind"].as_slice()]).await? {
        println!("{:?} {:?}", row.get::<_, DateTime<Utc>>(0), row.get::<_, Option<f64>>(1));
    }
    transaction.commit().await?;
    Ok(())
}
