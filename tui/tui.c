#include "tui/tui.h"

#include "core/text.h"
#include "engine/planner.h"
#include "engine/presence.h"
#include "engine/request.h"
#include "tui/decode.h"
#include "tui/effects.h"
#include "tui/layout.h"
#include "tui/term.h"
#include "tui/ui_apply.h"
#include "tui/view.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum {
	ESC_WAIT_MS = 50,       /* silence after which ESC is a key */
	PASTE_WAIT_MS = 2000,   /* silence after which a paste without an end is over */
	KEY_FRAME_US = 8000,    /* between frames that answer a key */
	DATA_FRAME_US = 100000, /* between frames that only follow data */
	FIRST_WAIT_US = 30000,  /* of the first frame for the last known board */
	SETTLE_US = 1000000,    /* after the start, while the board fills and people wait for it */
	RESIZE_US = 50000,
	LEAVE_MS = 300, /* for the last bytes to a slow terminal */
};

struct tui {
	struct app *app;
	struct loop *loop;
	struct ui *ui;
	struct terminal *term;
	struct canvas canvas;
	struct decode decode;
	struct keymap keymap;
	struct theme theme;
	struct zone *zone;
	struct effects *effects;
	int fd;
	bool raw;
	struct termios saved;
	struct watch *tty, *signals[6];
	struct timer *esc, *frame, *resize, *arm;
	bool dirty, urgent; /* a frame is wanted; for a key */
	bool dumped;        /* plain text is on the terminal: the next key comes back */
	bool ended;
	bool theme_auto; /* dark or light follows the terminal's background */
	bool asked_background;
	int64_t frame_us, key_frame_us, start_us;
	int exit_code;
};

static void want_frame(struct tui *t, bool urgent)
{
	t->dirty = true;
	t->urgent = t->urgent || urgent;
}

/* --- bytes out -------------------------------------------------------------------------------- */

static void hang_up(struct tui *t)
{
	t->ended = true;
	loop_stop(t->loop);
}

/* Sends what the terminal takes now; waits for the rest by the loop. */
static void send_bytes(struct tui *t)
{
	size_t n = 0;
	const char *bytes = term_bytes(t->term, &n);
	while (n > 0) {
		ssize_t done = write(t->fd, bytes, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			hang_up(t);
			return;
		}
		if (done <= 0)
			break;
		term_taken(t->term, (size_t)done);
		bytes = term_bytes(t->term, &n);
	}
	if (t->tty)
		watch_events(t->tty, n > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

/* The same with a deadline, outside the loop: on leaving the screen. */
static void send_all(struct tui *t)
{
	int64_t deadline = loop_mono_us() + LEAVE_MS * US_PER_MS;
	size_t n = 0;
	const char *bytes = term_bytes(t->term, &n);
	while (n > 0 && loop_mono_us() < deadline) {
		ssize_t done = write(t->fd, bytes, n);
		if (done > 0) {
			term_taken(t->term, (size_t)done);
			bytes = term_bytes(t->term, &n);
		} else if (done < 0 && errno != EAGAIN && errno != EINTR) {
			return;
		} else {
			struct pollfd p = {.fd = t->fd, .events = POLLOUT};
			(void)poll(&p, 1, 20);
		}
	}
}

/* --- modes ------------------------------------------------------------------------------------ */

static void raw_mode(struct tui *t, bool on)
{
	struct termios raw = t->saved;
	if (on) {
		raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
		raw.c_oflag &= ~(tcflag_t)OPOST;
		raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
		raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
		raw.c_cflag |= CS8;
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
	}
	if (tcsetattr(t->fd, TCSANOW, &raw) == 0)
		t->raw = on;
}

static void terminal_size(const struct tui *t, int *rows, int *cols)
{
	struct winsize w = {0};
	*rows = 24;
	*cols = 80;
	if (ioctl(t->fd, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 && w.ws_col > 0) {
		*rows = w.ws_row;
		*cols = w.ws_col;
	}
}

static void suspend(struct tui *t)
{
	term_leave(t->term);
	send_all(t);
	raw_mode(t, false);
	(void)kill(getpid(), SIGSTOP);
	/* Here again after SIGCONT. */
	raw_mode(t, true);
	term_redraw(t->term);
	want_frame(t, true);
}

static void dump(struct tui *t)
{
	struct str text;
	str_init(&text, 4 * 1024 * 1024);
	canvas_text(&t->canvas, &text);
	term_leave(t->term);
	for (const char *s = str_text(&text); *s; s++) {
		if (*s == '\n')
			term_push(t->term, "\r", 1);
		term_push(t->term, s, 1);
	}
	static const char note[] = "-- plain copy of the screen; any key goes back --\r\n";
	term_push(t->term, note, sizeof note - 1);
	str_release(&text);
	t->dumped = true;
	send_bytes(t);
}

/* --- effects ---------------------------------------------------------------------------------- */

static void apply(struct tui *t, struct ui_event *e);

static void perform(struct tui *t)
{
	struct ui *u = t->ui;
	struct ui_effect todo[UI_EFFECTS_MAX];
	int n = u->n_effects;
	memcpy(todo, u->effects, sizeof todo[0] * (size_t)n);
	u->n_effects = 0;
	for (int i = 0; i < n; i++) {
		const struct ui_effect *e = &todo[i];
		if (e->want == DO_QUIT)
			loop_stop(t->loop);
		else if (e->want == DO_SUSPEND)
			suspend(t);
		else if (e->want == DO_DUMP)
			dump(t);
		else if (e->want == DO_REDRAW)
			term_redraw(t->term);
		else if (e->want == DO_MOUSE)
			term_push(t->term, u->mouse ? "\033[?1000h\033[?1006h" : "\033[?1000l\033[?1006l",
			          16);
		else if (e->want == DO_COPY)
			effects_copy(t->term, e->text, getenv("TMUX") != NULL);
		else
			effects_perform(t->effects, e);
	}
	if (n > 0)
		want_frame(t, true);
}

/* Others see what is on this screen. */
static void say_presence(struct tui *t)
{
	struct presence_row now;
	bool here = ui_presence(t->ui, app_model(t->app), &now);
	presence_say(t->app, here ? &now : NULL);
}

static void apply(struct tui *t, struct ui_event *e)
{
	e->mono_us = loop_mono_us();
	ui_apply(t->ui, app_model(t->app), e);
	perform(t);
	say_presence(t);
	want_frame(t, e->kind != UI_MODEL && e->kind != UI_TICK);
}

static void on_report(void *ctx, const struct ui_event *e)
{
	struct ui_event copy = *e;
	apply(ctx, &copy);
}

static void on_change(void *ctx, unsigned topics)
{
	struct tui *t = ctx;
	if (!t->ui || !t->app)
		return;
	struct ui_event e = {.kind = UI_MODEL, .topics = topics, .mono_us = loop_mono_us()};
	ui_apply(t->ui, app_model(t->app), &e);
	if (topics & TOPIC_TIME) {
		/* The model's tick is ours too: one wake-up a second, not two. */
		e = (struct ui_event){.kind = UI_TICK, .mono_us = e.mono_us};
		ui_apply(t->ui, app_model(t->app), &e);
	}
	perform(t);
	say_presence(t);
	if (topics & (views[t->ui->screen]->topics | TOPIC_SETUP | TOPIC_TIME | TOPIC_MESSAGE |
	              TOPIC_ROLLOUTS | TOPIC_PLAN))
		want_frame(t, (topics & (TOPIC_PLAN | TOPIC_SETUP)) != 0);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void frame_timer(void *ctx)
{
	((struct tui *)ctx)->frame = NULL; /* its turn of the loop ends in tail() */
}

static void arm_timer(void *ctx)
{
	struct tui *t = ctx;
	t->arm = NULL;
	struct ui_event e = {.kind = UI_TICK};
	apply(t, &e);
	want_frame(t, true);
}

static void tail(void *ctx)
{
	struct tui *t = ctx;
	size_t waiting = 0;
	if (!t->dirty || t->dumped || t->ended || !t->ui)
		return;
	(void)term_bytes(t->term, &waiting);
	if (waiting > 0) {
		send_bytes(t);
		return;
	}
	/* A key never waits for a frame that followed data, only for the one of the key before it. */
	int64_t now = loop_mono_us();
	bool fast = t->urgent || now - t->start_us < SETTLE_US;
	int64_t gap = fast ? KEY_FRAME_US : DATA_FRAME_US;
	int64_t since = now - (t->urgent ? t->key_frame_us : t->frame_us);
	if (t->frame_us == 0 && !app_restored(t->app)) {
		gap = FIRST_WAIT_US;
		since = now - t->start_us;
	}
	if (since < gap) {
		if (t->frame && t->urgent) {
			timer_stop(t->frame);
			t->frame = NULL;
		}
		if (!t->frame)
			t->frame = loop_timer(t->loop, gap - since, 0, frame_timer, t);
		return;
	}
	t->key_frame_us = t->urgent ? now : t->key_frame_us;
	t->dirty = t->urgent = false;
	t->frame_us = now;
	const struct model *m = app_model(t->app);
	ui_settle(t->ui, m);
	perform(t);
	t->urgent = false;
	t->dirty = t->ui->log.scan_left;
	if (canvas_resize(&t->canvas, t->ui->rows, t->ui->cols) != 0)
		return;
	frame_draw(m, t->ui, &t->canvas);
	term_draw(t->term, &t->canvas);
	if (t->theme_auto && !t->asked_background && term_depth(t->term) >= DEPTH_256) {
		/* Behind the first frame, which waits for nobody. A late answer is no key (tui/decode.h). */
		t->asked_background = true;
		term_push(t->term, "\033]11;?\033\\", 8);
	}
	send_bytes(t);
	if (t->dirty) {
		t->urgent = true;
		loop_wake(t->loop);
	}
	if (t->ui->ask.kind != ASK_NONE && t->ui->mono_us < t->ui->ask.armed_us && !t->arm)
		t->arm = loop_timer(t->loop, t->ui->ask.armed_us - t->ui->mono_us + 1000, 0, arm_timer, t);
}

/* --- bytes in --------------------------------------------------------------------------------- */

/* The terminal told its background: "11;rgb:RRRR/GGGG/BBBB". Takes the theme that can be read on it. */
static void background(struct tui *t, const struct input *in)
{
	unsigned r = 0, g = 0, b = 0;
	struct theme theme;
	if (!t->theme_auto || in->cp != ']' ||
	    sscanf(in->reply, "11;rgb:%2x%*[0-9a-fA-F]/%2x%*[0-9a-fA-F]/%2x", &r, &g, &b) != 3)
		return;
	bool light = (r * 299 + g * 587 + b * 114) / 1000 > 127;
	if (light == t->theme.is_light || theme_load(light ? "light" : "dark", &theme, NULL) != 0)
		return;
	t->theme = theme;
	term_theme(t->term, &t->theme);
	want_frame(t, true);
}

static void on_key(void *ctx, const struct input *in)
{
	struct tui *t = ctx;
	if (t->dumped) {
		t->dumped = false;
		term_redraw(t->term);
		want_frame(t, true);
		return;
	}
	if (in->kind == INPUT_REPLY) {
		background(t, in);
		return;
	}
	struct ui_event e = {.kind = UI_INPUT, .input = in};
	apply(t, &e);
}

static void esc_timer(void *ctx)
{
	struct tui *t = ctx;
	t->esc = NULL;
	decode_timeout(&t->decode, on_key, t);
}

static void on_tty(void *ctx, int events, int status)
{
	struct tui *t = ctx;
	char bytes[4096];
	if (status < 0) {
		hang_up(t);
		return;
	}
	if (events & UV_WRITABLE)
		send_bytes(t);
	if (!(events & UV_READABLE))
		return;
	ssize_t n = read(t->fd, bytes, sizeof bytes);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		hang_up(t);
		return;
	}
	if (n < 0)
		return;
	decode_feed(&t->decode, bytes, (size_t)n, on_key, t);
	if (t->esc) {
		timer_stop(t->esc);
		t->esc = NULL;
	}
	if (decode_pending(&t->decode))
		t->esc = loop_timer(t->loop, (t->decode.in_paste ? PASTE_WAIT_MS : ESC_WAIT_MS) * US_PER_MS,
		                    0, esc_timer, t);
}

static void resized(void *ctx)
{
	struct tui *t = ctx;
	struct ui_event e = {.kind = UI_RESIZE};
	t->resize = NULL;
	terminal_size(t, &e.rows, &e.cols);
	e.rows = CLAMP(e.rows, 1, CANVAS_ROWS_MAX);
	e.cols = CLAMP(e.cols, 1, CANVAS_COLS_MAX);
	term_resize(t->term, e.rows, e.cols);
	apply(t, &e);
}

static void on_signal(void *ctx, int signum)
{
	struct tui *t = ctx;
	if (signum == SIGWINCH) {
		if (!t->resize)
			t->resize = loop_timer(t->loop, RESIZE_US, 0, resized, t);
	} else if (signum == SIGTSTP) {
		suspend(t);
	} else if (signum == SIGCONT) {
		raw_mode(t, true);
		term_redraw(t->term);
		want_frame(t, true);
	} else {
		/* The terminal may be there after a SIGHUP; where it is not, writing to it fails at once. */
		t->exit_code = signum == SIGINT ? EXIT_DONE : 128 + signum;
		loop_stop(t->loop);
	}
}

/* --- start and end ---------------------------------------------------------------------------- */

static int fail(const struct error *e)
{
	char text[URL_LEN * 3];
	error_format(e, text, sizeof text);
	fprintf(stderr, "towpath: %s\n", text);
	return EXIT_USAGE;
}

static int open_tty(struct tui *t)
{
	t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (t->fd < 0 && isatty(STDIN_FILENO)) {
		/* No controlling terminal, but one as stdin: its own open file, so that its flags stay ours. */
		const char *name = ttyname(STDIN_FILENO);
		if (name)
			t->fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	}
	if (t->fd < 0 || tcgetattr(t->fd, &t->saved) != 0) {
		fprintf(stderr,
		        "towpath: the console needs a terminal (towpath status --plain works without one)\n");
		return EXIT_USAGE;
	}
	return 0;
}

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);
	return v && *v ? v : otherwise;
}

/* The person's locale as the environment says it. */
static const char *locale_wanted(void) { return env_or("LC_ALL", env_or("LC_CTYPE", env_or("LANG", ""))); }

static bool locale_is_utf8(void)
{
	/* A login from elsewhere brings a locale that is not installed here; the terminal speaks UTF-8 all the same. */
	const char *want = locale_wanted();
	if (!setlocale(LC_CTYPE, "") && (strstr(want, "UTF-8") || strstr(want, "utf8")))
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	const char *codeset = nl_langinfo(CODESET);
	return strcmp(codeset, "UTF-8") == 0 || strcmp(codeset, "utf8") == 0;
}

static struct zone *local_zone(void)
{
	static unsigned char bytes[64 * 1024];
	FILE *f = fopen("/etc/localtime", "re");
	if (!f)
		return NULL;
	size_t n = fread(bytes, 1, sizeof bytes, f);
	(void)fclose(f);
	return zone_parse("local", bytes, n, NULL);
}

static int start_terminal(struct tui *t, const struct tui_options *o, bool utf8, struct error *e)
{
	const struct setup *s = app_setup(t->app);
	const char *name = env_or("TERM", "");
	int depth = term_choose_depth(o->colors, getenv("NO_COLOR"), getenv("COLORTERM"), name);
	if (depth < 0)
		return error_set(e, ERR_INVALID, "unknown --colors %s: auto, truecolor, 256, 16, 8 or mono",
		                 o->colors);
	const char *theme = o->theme ? o->theme : s && s->theme ? s->theme : "auto";
	t->theme_auto = strcmp(theme, "auto") == 0;
	/* Until the terminal says what its background is, if it ever does: "15;0" is white on black. */
	const char *colours = getenv("COLORFGBG"), *last = colours ? strrchr(colours, ';') : NULL;
	if (t->theme_auto)
		theme = last && (strcmp(last, ";7") == 0 || strcmp(last, ";15") == 0) ? "light" : "dark";
	if (theme_load(theme, &t->theme, e) != 0)
		return (int)e->code;
	struct term_options to = {.term = name, .utf8 = utf8, .depth = (enum depth)depth, .theme = &t->theme};
	terminal_size(t, &to.rows, &to.cols);
	return term_curses_new(&to, &t->term, e);
}

static void first_screen(struct tui *t, const struct tui_options *o)
{
	struct ui_event e = {.kind = UI_RESIZE};
	terminal_size(t, &e.rows, &e.cols);
	e.rows = CLAMP(e.rows, 1, CANVAS_ROWS_MAX);
	e.cols = CLAMP(e.cols, 1, CANVAS_COLS_MAX);
	apply(t, &e);
	t->ui->opens_live = o->screen == NULL;
	for (int i = 0; o->screen && i <= SCREEN_DOCTOR; i++)
		if (strcmp(views[i]->name, o->screen) == 0)
			t->ui->screen = t->ui->seen[0] = (enum screen)i;
	if (o->screen && t->ui->screen == SCREEN_BOARD && strcmp(o->screen, "board") != 0)
		app_message(t->app, MESSAGE_WARN, "no screen is called %s", o->screen);
}

static void watch_signals(struct tui *t)
{
	static const int signals[] = {SIGWINCH, SIGHUP, SIGTERM, SIGINT, SIGTSTP, SIGCONT};
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		t->signals[i] = loop_watch_signal(t->loop, signals[i], on_signal, t);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void stop(struct tui *t)
{
	if (t->term && !t->ended) {
		if (t->ui && t->ui->mouse)
			term_push(t->term, "\033[?1000l\033[?1006l", 16);
		term_leave(t->term);
		send_all(t);
	}
	if (t->raw) {
		raw_mode(t, false);
		(void)tcflush(t->fd, TCIFLUSH);
	}
	watch_stop(t->tty);
	for (size_t i = 0; i < ARRAY_LEN(t->signals); i++)
		watch_stop(t->signals[i]);
	struct timer *timers[] = {t->esc, t->frame, t->resize, t->arm};
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		timer_stop(timers[i]);
	effects_free(t->effects);
	struct app *app = t->app;
	ui_free(t->ui);
	t->ui = NULL;
	term_free(t->term);
	t->term = NULL;
	t->app = NULL;
	t->dirty = false;
	if (app != NULL)
		presence_end(app);
	app_free(app);
	keymap_free(&t->keymap);
	canvas_release(&t->canvas);
	zone_free(t->zone);
	if (t->fd >= 0)
		(void)close(t->fd);
}

static int run(struct tui *t, const struct app_options *base, const struct tui_options *o)
{
	struct error e = {0}, keys = {0};
	struct app_options options = *base;
	int rc = open_tty(t);
	if (rc != 0)
		return rc;
	bool utf8 = locale_is_utf8();
	options.on_change = on_change;
	options.ctx = t;
	options.observe = true;
	options.follow_logs = true;
	if (app_open(&options, &t->app, &e) != 0)
		return fail(&e);
	t->loop = app_loop(t->app);
	const struct setup *s = app_setup(t->app);
	const char *lang = locale_wanted();
	int set = glyphs_choose(o->glyphs ? o->glyphs : s ? s->glyphs : NULL, utf8, getenv("TERM"), lang);
	if (set < 0) {
		fprintf(stderr, "towpath: unknown glyphs: auto, ascii, line or rich\n");
		return EXIT_USAGE;
	}
	int keys_rc = keymap_load(&t->keymap, ui_actions, &keys);
	t->ui = ui_new(&t->keymap, o->commands ? o->commands : commands, glyphs_of((enum glyph_set)set));
	if (!t->ui)
		return EXIT_NOT_FOUND_OUT;
	t->ui->zone = t->zone = local_zone();
	watch_signals(t); /* before curses, which would take them */
	if (start_terminal(t, o, utf8, &e) != 0)
		return fail(&e);
	t->effects = effects_new(t->app, t->ui->commands, on_report, t);
	if (!t->effects)
		return EXIT_NOT_FOUND_OUT;
	raw_mode(t, true);
	t->start_us = loop_mono_us();
	t->tty = loop_watch_fd(t->loop, t->fd, UV_READABLE, on_tty, t);
	first_screen(t, o);
	loop_on_tail(t->loop, tail, t);
	if (keys_rc != 0)
		app_message(t->app, MESSAGE_WARN, "keys: %s", keys.text);
	loop_run(t->loop);
	return t->exit_code;
}

int tui_run(const struct app_options *base, const struct tui_options *o)
{
	struct tui *t = calloc(1, sizeof *t);
	if (!t)
		return EXIT_NOT_FOUND_OUT;
	t->fd = -1;
	int rc = run(t, base, o);
	stop(t);
	free(t);
	return rc;
}
