/* The tools that Debian packages (Django, Alembic, Rails, Sqitch) through the real program. */
#include "tests/lib/cm.h"
#include "tests/lib/toolstory.h"

/* --- Django -------------------------------------------------------------------------------------- */

static const char django_settings[] =
    "import os\n"
    "from urllib.parse import unquote, urlparse\n"
    "\n"
    "url = urlparse(os.environ['DATABASE_URL'])\n"
    "SECRET_KEY = 'of a test'\n"
    "USE_TZ = True\n"
    "INSTALLED_APPS = ['shop', 'billing', 'catalog.apps.CatalogConfig']\n"
    "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': url.hostname, 'PORT': "
    "url.port,\n"
    "    'USER': unquote(url.username), 'PASSWORD': unquote(url.password), 'NAME': url.path[1:]}}\n"
    "DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n";

#define DJANGO(before)                                                                                       \
	"from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"                     \
	"    dependencies = [('shop', '" before "')]\n"                                                      \
	"    operations = [migrations.RunSQL(\"\"\"$SQL\"\"\", migrations.RunSQL.noop)]\n"

static const struct tool_story django = {
    .name = "django",
    .customers = "shop_customer",
    .orders = "shop_order",
    .base = {{"site_conf/settings.py", django_settings}},
    .note = {{"shop/migrations/0007_note.py", DJANGO("0006_order_status")}},
    .next = {{"shop/migrations/0008_next.py", DJANGO("0007_note")}},
    .note_name = "shop.0007_note",
    .next_name = "shop.0008_next",
    .keeps_note = true,
};

/* --- Alembic: one transaction for the whole run -------------------------------------------------- */

/* The parser of alembic.ini takes a single % for its own. */
static const char alembic_env[] = "import os\n"
                                  "from alembic import context\n"
                                  "from sqlalchemy import create_engine\n\n"
                                  "with create_engine(os.environ['DATABASE_URL']).connect() as connection:\n"
                                  "    context.configure(connection=connection)\n"
                                  "    with context.begin_transaction():\n"
                                  "        context.run_migrations()\n";

#define ALEMBIC(own, before)                                                                                 \
	"\"\"\"more\"\"\"\nfrom alembic import op\n\nrevision = '" own "'\ndown_revision = '" before         \
	"'\nbranch_labels = None\ndepends_on = None\n\n\ndef upgrade():\n"                                   \
	"    op.execute(\"\"\"$SQL\"\"\")\n\n\ndef downgrade():\n    pass\n"

static const struct tool_story alembic = {
    .name = "alembic",
    .base = {{"migrations/env.py", alembic_env}},
    .note = {{"migrations/versions/7a0000000001_note.py", ALEMBIC("7a0000000001", "6de45a3b8f36")}},
    .next = {{"migrations/versions/7a0000000002_next.py", ALEMBIC("7a0000000002", "7a0000000001")}},
    .note_name = "7a0000000001",
    .next_name = "7a0000000002",
};

/* --- Rails --------------------------------------------------------------------------------------- */

static const char bin_rails[] = "#!/usr/bin/env ruby\n"
                                "APP_PATH = File.expand_path('../config/application', __dir__)\n"
                                "require 'rails/commands'\n";

#define RAILS(name)                                                                                          \
	"class " name " < ActiveRecord::Migration[6.1]\n  def up\n    execute <<~END\n      $SQL\n    END\n" \
	"  end\nend\n"

static const struct tool_story rails = {
    .name = "rails",
    .base = {{"bin/rails", bin_rails}},
    .note = {{"db/migrate/20260301000000_add_note.rb", RAILS("AddNote")}},
    .next = {{"db/migrate/20260302000000_go_on.rb", RAILS("GoOn")}},
    .note_name = "20260301000000",
    .next_name = "20260302000000",
    .keeps_note = true,
};

/* --- Sqitch: a run that fails takes back what it did, and notes that it failed ------------------- */

#define SQITCH_AT "2026-11-21T10:00:00Z Ana Example <ana@example.com> # more\n"

static const struct tool_story sqitch = {
    .name = "sqitch",
    .base = {{"+sqitch.conf", "[user]\n\tname = Ana Example\n\temail = ana@example.com\n"}},
    .note = {{"+sqitch.plan", "note [order_status] " SQITCH_AT},
             {"deploy/note.sql", "BEGIN;\n$SQL\nCOMMIT;\n"},
             {"revert/note.sql", "ALTER TABLE customers DROP COLUMN note;\n"},
             {"verify/note.sql", "SELECT note FROM customers WHERE false;\n"}},
    .next = {{"+sqitch.plan", "next [note] " SQITCH_AT},
             {"deploy/next.sql", "BEGIN;\n$SQL\nCOMMIT;\n"},
             {"revert/next.sql", "SELECT 1;\n"},
             {"verify/next.sql", "SELECT 1;\n"}},
    .note_name = "note",
    .next_name = "next",
    .records = true,
    .heals = true,
    .asks = true,
};

static const struct tool_story *const all[] = {&django, &alembic, &rails, &sqitch, NULL};

STORY(django)
STORY(alembic)
STORY(rails)
STORY(sqitch)

static int setup(void **state)
{
	UNUSED(state);
	story_begin(all);
	return 0;
}

static int teardown(void **state)
{
	UNUSED(state);
	story_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {STORY_TESTS(django), STORY_TESTS(alembic), STORY_TESTS(rails),
	                                   STORY_TESTS(sqitch)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
