//! Curves drawn with characters.

use anstream::println;

pub fn print(curves: Vec<Vec<f64>>, caption: &str) {
    let config = rasciigraph::Config::default()
        .with_width(72)
        .with_height(8)
        .with_caption(caption.to_owned());
    println!();
    for line in rasciigraph::plot_many(curves, config).lines() {
        println!("  {}", line.trim_end());
    }
}
