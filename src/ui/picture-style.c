// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "ui/picture-style.h"

/* A window is of its own where it is less than this part. */
#define WINDOW_PART 0.5
#define WINDOW_MARGIN 0.06

#define SWATCH 14
#define LEGEND_ROW 20
/* Of a letter, about: nothing here knows the font. */
#define LEGEND_LETTER 6.6

const char picture_style[] =
	"\n"
	"text{font-family:sans-serif;font-size:12px;fill:#24292f}\n"
	".title{font-size:16px;font-weight:bold}\n"
	".small{font-size:11px}\n"
	".word{font-size:11px;fill:#24292f}\n"
	".word-on-arc{font-size:11px;fill:#fff}\n"
	".page{fill:#fff}\n"
	".plot{fill:#f6f8fa}\n"
	".axis{stroke:#57606a}\n"
	".grid{stroke:#d0d7de;stroke-width:.7}\n"
	".left{fill:none;stroke:#0969da;stroke-width:2;stroke-linejoin:round}\n"
	".dot{fill:#0969da}\n"
	".left-text{fill:#0969da}\n"
	".rate{fill:#1a7f37;fill-opacity:.22;stroke:#1a7f37;stroke-width:.8}\n"
	".rate-text{fill:#1a7f37}\n"
	".band{fill:#cf222e;fill-opacity:.15}\n"
	".switchover{stroke:#cf222e;stroke-width:1.3;stroke-dasharray:4 3}\n"
	".barrier{stroke:#24292f;stroke-width:1;stroke-dasharray:2 2}\n"
	".window{fill:#57606a;fill-opacity:.12}\n"
	".s-running{fill:#aceebb}.s-running-p2p{fill:#dff0a0}\n"
	".s-pre-copy{fill:#b6d7ff}.s-pre-copy-p2p{fill:#9be3ea}\n"
	".s-stop{fill:#d0d7de}.s-stop-copy{fill:#ffc680}\n"
	".s-resuming{fill:#dcc6ff}.s-error{fill:#ff8182}\n"
	".arc{fill:#424a53}.failed{fill:#cf222e}\n"
	".waiting{fill:#24292f;fill-opacity:.13;stroke:#24292f;stroke-width:.6;"
	"stroke-dasharray:1.5 1.5}\n"
	".finish{fill:#f7b9e3}\n"
	".action-script{fill:#8250df}.freeze-owner{fill:#0a7f8c}\n"
	".frozen{fill:#0a7f8c;fill-opacity:.25}\n"
	".failure{fill:#ffd33d;stroke:#cf222e;stroke-width:1.5}\n"
	"@media (prefers-color-scheme:dark){\n"
	"text{fill:#e6edf3}\n"
	".word{fill:#e6edf3}\n"
	".word-on-arc{fill:#0d1117}\n"
	".page{fill:#0d1117}\n"
	".plot{fill:#161b22}\n"
	".axis{stroke:#8b949e}\n"
	".grid{stroke:#30363d}\n"
	".left{stroke:#58a6ff}.dot{fill:#58a6ff}.left-text{fill:#58a6ff}\n"
	".rate{fill:#3fb950;stroke:#3fb950}.rate-text{fill:#3fb950}\n"
	".band{fill:#f85149;fill-opacity:.22}\n"
	".switchover{stroke:#f85149}\n"
	".barrier{stroke:#e6edf3}\n"
	".window{fill:#8b949e;fill-opacity:.16}\n"
	".s-running{fill:#1f5c31}.s-running-p2p{fill:#565f14}\n"
	".s-pre-copy{fill:#14457a}.s-pre-copy-p2p{fill:#155c66}\n"
	".s-stop{fill:#3d444d}.s-stop-copy{fill:#7d4a0e}\n"
	".s-resuming{fill:#55338a}.s-error{fill:#8e1519}\n"
	".arc{fill:#9aa4af}.failed{fill:#f85149}\n"
	".waiting{fill:#e6edf3;fill-opacity:.13;stroke:#e6edf3}\n"
	".finish{fill:#7a2e63}\n"
	".action-script{fill:#a475f9}.freeze-owner,.frozen{fill:#39b6c4}\n"
	"}\n";

bool picture_zoom(struct picture_scale *scale, uint64_t from_ns, uint64_t to_ns)
{
	const double part = (double)(to_ns - from_ns);
	const uint64_t margin = (uint64_t)(part * WINDOW_MARGIN) + 1000;
	const struct picture_scale whole = *scale;

	if (part >= WINDOW_PART * (double)(whole.to_ns - whole.from_ns))
		return false;
	scale->zero_ns = from_ns;
	scale->from_ns = MAX(from_ns - MIN(margin, from_ns), whole.from_ns);
	scale->to_ns = MIN(to_ns + margin, whole.to_ns);
	return true;
}

void picture_window(FILE *f, const struct picture_scale *whole, const struct picture_scale *window,
		    const struct picture_funnel *y)
{
	double from = picture_x(whole, window->from_ns);
	double to = MAX(picture_x(whole, window->to_ns), from + 1);

	svg_path_begin(f, "window");
	svg_path_to(f, from, y->from, false);
	svg_path_to(f, to, y->from, true);
	svg_path_to(f, to, y->neck, true);
	svg_path_to(f, window->x + window->width, y->mouth, true);
	svg_path_to(f, window->x + window->width, y->to, true);
	svg_path_to(f, window->x, y->to, true);
	svg_path_to(f, window->x, y->mouth, true);
	svg_path_to(f, from, y->neck, true);
	svg_path_end(f);
}

double picture_legend(FILE *f, double x, double y, double width,
		      const struct picture_legend_row *rows, size_t n)
{
	struct svg_box box = { x, y, SWATCH, SWATCH };

	for (size_t i = 0; i < n; i++) {
		double wide = SWATCH + 6 + (double)strlen(rows[i].words) * LEGEND_LETTER + 16;

		if (box.x > x && box.x + wide > x + width) {
			box.x = x;
			box.y += LEGEND_ROW;
		}
		svg_rect(f, &box, rows[i].class_name, NULL);
		svg_text(f, box.x + SWATCH + 6, box.y + 11, SVG_START, "small", "%s",
			 rows[i].words);
		box.x += wide;
	}
	return box.y + LEGEND_ROW - y;
}
