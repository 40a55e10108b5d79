//! Each caller's requests in each window, as a picture.

use super::world::{History, Scenario, WINDOW};
use plotters::prelude::{
    BLACK, ChartBuilder, IntoDrawingArea, LineSeries, Palette, Palette99, PathElement, SVGBackend,
    WHITE,
};
use plotters::style::Color;

/// The picture, in SVG.
pub fn svg(scenario: &Scenario, history: &History) -> String {
    let mut text = String::new();
    draw(&mut text, scenario, history).expect("a picture");
    text
}

fn draw(
    text: &mut String,
    scenario: &Scenario,
    history: &History,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, (900, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let seconds = u32::try_from(history.windows.len() as u64 * WINDOW / 1000)?;
    let cells = history.windows.iter().flatten();
    let most = cells.map(|cell| cell.got).max().unwrap_or_default() + 5;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(0..seconds * 6 / 5, 0..most)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("requests in a window")
        .draw()?;
    for (caller, wisher) in scenario.callers.iter().enumerate() {
        let color = Palette99::pick(caller).mix(1.0);
        let at = |number: usize| u32::try_from(number as u64 * WINDOW / 1000).unwrap_or(0);
        let points = history
            .windows
            .iter()
            .enumerate()
            .map(|(number, window)| (at(number), window[caller].got));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(wisher.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}
