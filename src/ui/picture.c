// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "base/units.h"
#include "ui/picture-chart.h"
#include "ui/picture-lanes.h"
#include "ui/picture.h"

#define WIDTH 960.0
#define LEFT 170.0
#define RIGHT 100.0
#define PLOT (WIDTH - LEFT - RIGHT)
#define CHART_Y 96.0
#define CHART_HEIGHT 170.0
#define BARRIERS_HEIGHT 46.0

/* Of the row of actions, and of all that it takes with its words. */
#define ACTIONS_HEIGHT 10.0
#define ACTIONS_PITCH 28.0

/* The window of the lanes is of its own where the devices were down for less than this part. */
#define WINDOW_PART 0.5
#define WINDOW_MARGIN 0.06

static const char picture_style[] =
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

/**
 * struct picture - what is where
 * @zoomed: the lanes are of a part of the time
 * @lanes: their number
 */
struct picture {
	FILE *f;
	const struct event_file *events;
	const struct summary *summary;
	struct picture_scale whole, window;
	bool zoomed;
	unsigned int lanes;
	struct picture_lanes overview, detail;
	double bottom; /* of the lanes, and of the row of actions below them */
};

static void picture_set_window(struct picture *p)
{
	const struct summary *s = p->summary;
	double down = (double)(s->down_end_ns - s->down_start_ns);
	uint64_t margin = (uint64_t)(down * WINDOW_MARGIN) + 1000;

	p->window = p->whole;
	p->zoomed = s->was_down && down < WINDOW_PART * (double)(s->end_ns - s->start_ns);
	if (!p->zoomed)
		return;
	p->window.zero_ns = s->down_start_ns;
	p->window.from_ns = MAX(s->down_start_ns - MIN(margin, s->down_start_ns), s->start_ns);
	p->window.to_ns = MIN(s->down_end_ns + margin, s->end_ns);
}

static void picture_set_places(struct picture *p)
{
	double y = CHART_Y + CHART_HEIGHT + 26;

	if (p->zoomed) {
		p->overview.pitch = p->lanes > 8 ? 5 : 9;
		p->overview.height = p->overview.pitch - 1;
		p->overview.y = y;
		y += p->lanes * p->overview.pitch + 26;
	}
	p->detail.words = true;
	p->detail.pitch = p->lanes > 16 ? 14 : p->lanes > 8 ? 19 : 24;
	p->detail.height = p->detail.pitch - 4;
	p->detail.y = y + BARRIERS_HEIGHT;
	p->bottom = p->detail.y + p->lanes * p->detail.pitch;
	if (p->summary->acted)
		p->bottom += ACTIONS_PITCH;
}

static void picture_title(const struct picture *p)
{
	const struct summary *s = p->summary;
	char time[UNITS_MAX];
	uint64_t skew;
	FILE *f = p->f;

	svg_text(f, 20, 30, SVG_START, "title", "%s of %u device%s, %s", p->events->command, s->n,
		 s->n == 1 ? "" : "s", format_duration(time, s->end_ns - s->start_ns));
	if (s->was_down) {
		char down[UNITS_MAX], expected[UNITS_MAX + 16] = "", apart[UNITS_MAX + 16] = "";

		if (s->decided && s->decision.estimated)
			snprintf(expected, sizeof(expected), " (expected %s)",
				 format_duration(time, s->decision.estimate_ns));
		if (summary_skew(s, &skew))
			snprintf(apart, sizeof(apart), ", stopped within %s",
				 format_duration(time, skew));
		svg_text(f, 20, 51, SVG_START, "label", "downtime %s%s%s",
			 format_duration(down, summary_downtime(s)), expected, apart);
	}
	if (s->failed)
		svg_text(f, WIDTH - 20, 30, SVG_END, "label", "%u failure%s", s->failed,
			 s->failed == 1 ? "" : "s");
}

/* Which part of the time the lanes are of. */
static void picture_window(const struct picture *p)
{
	double top = p->overview.y + p->lanes * p->overview.pitch + 3, bottom = p->detail.y - 40;
	double from = picture_x(&p->whole, p->window.from_ns);
	double to = MAX(picture_x(&p->whole, p->window.to_ns), from + 1);
	FILE *f = p->f;

	svg_path_begin(f, "window");
	svg_path_to(f, from, CHART_Y + CHART_HEIGHT, false);
	svg_path_to(f, to, CHART_Y + CHART_HEIGHT, true);
	svg_path_to(f, to, top, true);
	svg_path_to(f, p->window.x + p->window.width, bottom, true);
	svg_path_to(f, p->window.x + p->window.width, p->bottom, true);
	svg_path_to(f, p->window.x, p->bottom, true);
	svg_path_to(f, p->window.x, bottom, true);
	svg_path_to(f, from, top, true);
	svg_path_end(f);
}

static void picture_draw_lanes(const struct picture *p)
{
	unsigned int left_out = p->events->list.devices - p->lanes;

	if (p->zoomed) {
		picture_window(p);
		picture_lanes(p->f, p->events, p->summary, &p->whole, &p->overview);
	}
	picture_time_axis(p->f, &p->window, p->detail.y - 2, p->bottom);
	picture_lanes(p->f, p->events, p->summary, &p->window, &p->detail);
	picture_barriers(p->f, p->events, &p->window, p->detail.y - 4, p->bottom);
	if (p->summary->acted)
		picture_actions(p->f, p->events, p->summary, &p->window,
				p->bottom - ACTIONS_PITCH + 4, ACTIONS_HEIGHT);
	svg_text(p->f, WIDTH - RIGHT + 8, p->detail.y - 8, SVG_START, "small", "downtime");
	if (left_out)
		svg_text(p->f, LEFT, p->bottom + 32, SVG_START, "small", "and %u more devices",
			 left_out);
}

int picture_draw(FILE *f, const struct event_file *events, const struct summary *summary,
		 struct err *err)
{
	struct picture p = {
		.f = f,
		.events = events,
		.summary = summary,
		.whole = { summary->start_ns, summary->end_ns, summary->start_ns, LEFT, PLOT },
		.lanes = MIN(events->list.devices, PICTURE_LANES_MAX),
	};
	struct svg_box page = { 0, 0, WIDTH, 0 };
	struct svg_box plot = { LEFT, CHART_Y, PLOT, CHART_HEIGHT };
	int r;

	picture_set_window(&p);
	picture_set_places(&p);
	page.height = p.bottom + 44 + 80;
	svg_begin(f, WIDTH, page.height, "where the time of a run went", picture_style);
	svg_rect(f, &page, "page", NULL);
	svg_rect(f, &plot, "plot", NULL);
	picture_title(&p);
	r = picture_chart(f, events, summary, &p.whole, CHART_Y, CHART_HEIGHT, err);
	picture_draw_lanes(&p);
	picture_lanes_legend(f, 20, p.bottom + 42, WIDTH - 40);
	svg_end(f);
	return r;
}
