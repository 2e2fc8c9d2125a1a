use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row};
use std::{env, error::Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = PgPool::connect(&env::var("TIMEDB_DSN")?).await?;
    let mut transaction = pool.begin().await?;                       // the login ends with it
    let login = sqlx::query("SELECT FROM timedb.authenticate($1, true)").bind(env::var("TIMEDB_API_KEY")?);
    login.execute(&mut *transaction).await?;
    let read = sqlx::query("SELECT valid_time, value FROM timedb.read(series_keys => $1)").bind(vec!["wind"]);
    for row in read.fetch_all(&mut *transaction).await? {
        println!("{:?} {:?}", row.get::<DateTime<Utc>, _>(0), row.get::<Option<f64>, _>(1));
    }
    transaction.commit().await?;
    Ok(())
}
