/*
 * Migrations of frameworks read by their calls: each map's operations with their lines, only the way forward, SQL
 * inside of them, and "cannot judge" for what is computed; the scanners under them.
 */
#include "core/code.h"
#include "core/jsscan.h"
#include "core/lint.h"
#include "core/rubyscan.h"
#include "core/text.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static struct arena arena;
static struct lint_report report;
static char acts[8192];

static int setup(void **state)
{
	UNUSED(state);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	return 0;
}

static int teardown(void **state)
{
	UNUSED(state);
	arena_release(&arena);
	return 0;
}

/* "2:drop column t.a; 3:opaque" of a file. */
static const char *acts_of(const char *path, const char *text)
{
	static const struct lint_context plain = {.tool = LINT_TOOL_AUTO};
	size_t n = 0;

	acts[0] = '\0';
	lint_file(&arena, path, text, strlen(text), &plain, &report);
	for (int i = 0; i < report.acts.n; i++) {
		const struct act *x = &report.acts.items[i];
		const bool shows_text = x->kind == ACT_OPAQUE || x->kind == ACT_CODE;

		if (x->kind == ACT_UNIT || x->kind == ACT_ASSIGN)
			continue;
		n += (size_t)snprintf(
		    acts + n, sizeof(acts) - n, "%s%d:%s%s%s%s%s%s%s%s%s", n > 0 ? "; " : "", x->line,
		    act_kind_name(x->kind), x->table[0] != '\0' ? " " : "", x->schema,
		    x->schema[0] != '\0' ? "." : "", x->table, x->column[0] != '\0' ? "." : "", x->column,
		    shows_text ? " " : "", shows_text ? x->text : "");
		assert_true(n < sizeof(acts));
	}
	for (int i = 0; i < report.n_findings; i++)
		assert_true(text_is_clean(report.findings[i].message, strlen(report.findings[i].message)));
	return acts;
}

static void expect(const char *path, const char *text, const char *want)
{
	const char *got = acts_of(path, text);

	if (strcmp(got, want) != 0)
		fail_msg("%s\ngot  \"%s\"\nwant \"%s\"", text, got, want);
	/* Nothing of the way back. */
	assert_null(strstr(got, "never"));
}

static bool found(const char *id, int line)
{
	for (int i = 0; i < report.n_findings; i++)
		if (strcmp(lint_rule_desc(report.findings[i].rule)->id, id) == 0 &&
		    report.findings[i].line == line)
			return true;
	return false;
}

/* --- Python ---------------------------------------------------------------------------------------------- */

#define DJANGO "from django.db import migrations, models\nclass Migration(migrations.Migration):\n"

static void django(void **state)
{
	UNUSED(state);
	expect("shop/migrations/0002_x.py",
	       DJANGO "    operations = [\n"
	              "        migrations.CreateModel(name='Tag', fields=[\n"
	              "            ('id', models.BigAutoField(primary_key=True)),\n"
	              "            ('order', models.ForeignKey(on_delete=models.CASCADE, to='shop.order')),\n"
	              "            ('people', models.ManyToManyField(to='auth.User')),\n"
	              "        ]),\n"
	              "        migrations.AddField('order', 'note', models.TextField(null=True)),\n"
	              "        migrations.AddField('order', 'buyer', models.ForeignKey(null=True, "
	              "to='people.Person')),\n"
	              "        migrations.RemoveField(model_name='Order', name='old'),\n"
	              "        # migrations.DeleteModel('never'),\n"
	              "        migrations.RenameField('order', 'a', 'b'),\n"
	              "        migrations.AlterField('order', 'c', models.TextField()),\n"
	              "        migrations.DeleteModel('Gone'),\n"
	              "    ]\n",
	       "4:create table shop_tag; 4:new column shop_tag.id; 4:new column shop_tag.order_id; 4:new "
	       "reference shop_tag; "
	       "4:create table shop_tag_people; 4:new reference shop_tag_people; 4:new reference "
	       "shop_tag_people; "
	       "9:add column shop_order.note; 10:add column shop_order.buyer_id; 10:create index "
	       "shop_order.buyer_id; "
	       "11:drop column shop_order.old; 13:rename column shop_order.a; 14:alter field shop_order.c; "
	       "15:drop table shop_gone");
	expect("shop/migrations/0003_x.py",
	       DJANGO
	       "    atomic = False\n"
	       "    operations = [\n"
	       "        AddIndexConcurrently('order', models.Index(fields=['kind'], name='ik')),\n"
	       "        migrations.AddIndex('order', models.Index(fields=['a', 'b'], name='in')),\n"
	       "        migrations.AddConstraint('order', models.UniqueConstraint(fields=['a'], name='u')),\n"
	       "        migrations.AddConstraint('order', models.CheckConstraint(check=x, name='c')),\n"
	       "        AddConstraintNotValid('order', models.CheckConstraint(check=x, name='c')),\n"
	       "        ValidateConstraint('order', 'c'),\n"
	       "        migrations.AlterUniqueTogether(name='order', unique_together={('a', 'b')}),\n"
	       "        migrations.AlterUniqueTogether(name='order', unique_together=set()),\n"
	       "    ]\n",
	       "5:create index shop_order.kind; 6:create index shop_order.a, b; 7:add unique shop_order.a; "
	       "8:add check shop_order; 9:add check shop_order; 10:validate shop_order; 11:add unique "
	       "shop_order.a, b; "
	       "12:drop constraint shop_order");
	assert_false(found("L3", 5));
	assert_true(found("L1", 6) && found("L6", 7) && found("L5", 8) && found("B5", 7));
	assert_false(found("L5", 9));
	expect(
	    "0004_x.py",
	    DJANGO "    operations = [\n"
	           "        migrations.RunSQL(\n"
	           "            'UPDATE t SET a = 1; '\n"
	           "            'DROP TABLE x',\n"
	           "            reverse_sql='DROP TABLE never',\n"
	           "        ),\n"
	           "        migrations.RunSQL('''\n"
	           "DELETE FROM y\n"
	           "''', migrations.RunSQL.noop),\n"
	           "        migrations.RunSQL(['DROP VIEW v', ('DELETE FROM z WHERE id = %s', [1])]),\n"
	           "        migrations.RunSQL(open('x').read()),\n"
	           "        migrations.RunSQL(f'DROP TABLE {x}'),\n"
	           "        migrations.RunPython(fill, back),\n"
	           "        migrations.RunPython(migrations.RunPython.noop),\n"
	           "        migrations.SeparateDatabaseAndState(\n"
	           "            database_operations=[migrations.DeleteModel('Gone')],\n"
	           "            state_operations=[migrations.DeleteModel('never')]),\n"
	           "        Special(),\n"
	           "    ]\n",
	    "5:update t; 6:drop table x; 10:delete y; 12:drop object v; 12:delete z; 13:opaque SQL that is "
	    "computed; "
	    "14:opaque SQL that is computed; 15:code runs Python on the data; 16:quiet; 18:drop table gone; "
	    "20:opaque operation Special");
	expect("0005_x.py", DJANGO "    operations = [make(x) for x in y]\n",
	       "3:opaque an operation that is computed");
	expect("0005_x.py", DJANGO "    operations = make()\n", "3:opaque operations that are computed");
	expect("0005_x.py", DJANGO "    operations = [migrations.DeleteModel('A')] + more\n",
	       "3:drop table a; 3:opaque operations that are computed");
	/* Django's default lives in Python only. */
	expect("0006_x.py",
	       DJANGO "    operations = [\n"
	              "        migrations.AddField('o', 'a', models.IntegerField(default=1)),\n"
	              "        migrations.AddField('o', 'b', models.IntegerField(db_default=1)),\n"
	              "        migrations.AddField('o', 'c', models.UUIDField(unique=True, null=True)),\n"
	              "    ]\n",
	       "4:add column o.a; 5:add column o.b; 6:add column o.c");
	assert_true(found("B4", 4));
	assert_false(found("B4", 5));
	assert_true(found("L6", 6));
	expect("0007_x.py",
	       DJANGO "    operations = [linter.IgnoreMigration(), migrations.DeleteModel('A')]\n",
	       "3:quiet; 3:drop table a");
	assert_int_equal(report.n_findings, 0);
	assert_true(report.n_ignored > 0 && report.summary.destructive);
}

/* What an AlterField does is known where the field was declared before. */
static void django_history(void **state)
{
	struct lint_context ctx = {.tool = LINT_TOOL_AUTO, .known = lint_known_new(&arena)};
	static const char first[] =
	    DJANGO "    operations = [migrations.CreateModel('O', [('a', models.CharField(max_length=9)), "
	           "('b', models.TextField(null=True)), ('c', models.IntegerField())])]\n";
	static const char second[] =
	    DJANGO "    operations = [\n"
	           "        migrations.AlterField('o', 'a', models.CharField(max_length=20)),\n"
	           "        migrations.AlterField('o', 'b', models.TextField()),\n"
	           "        migrations.AlterField('o', 'c', models.IntegerField(help_text='x')),\n"
	           "    ]\n";

	UNUSED(state);
	lint_file(&arena, "s/migrations/0001.py", first, strlen(first), &ctx, &report);
	lint_known_next_run(ctx.known);
	lint_file(&arena, "s/migrations/0002.py", second, strlen(second), &ctx, &report);
	assert_int_equal(report.acts.items[0].kind, ACT_ALTER_TYPE);
	assert_false(found("B6", 4));
	assert_int_equal(report.acts.items[1].kind, ACT_SET_NOT_NULL);
	assert_true(found("L7", 5));
	assert_int_equal(report.acts.items[2].kind, ACT_QUIET);
}

static void alembic(void **state)
{
	UNUSED(state);
	expect("versions/1_x.py",
	       "from alembic import op\nimport sqlalchemy as sa\n\ndef upgrade() -> None:\n"
	       "    op.create_table('t', sa.Column('id', sa.Integer(), primary_key=True),\n"
	       "        sa.ForeignKeyConstraint(['o'], ['orgs.id']), schema='s')\n"
	       "    with op.batch_alter_table('users', schema=None) as batch_op:\n"
	       "        batch_op.add_column(sa.Column('a', sa.String(20), nullable=False))\n"
	       "        batch_op.drop_column('b')\n"
	       "    with op.get_context().autocommit_block():\n"
	       "        op.create_index('ix', 'users', ['c'], postgresql_concurrently=True)\n"
	       "    op.alter_column('users', 'd', existing_type=sa.Integer(), type_=sa.BigInteger(),\n"
	       "                    nullable=False, new_column_name='e')\n"
	       "    op.alter_column('users', 'z', server_default=None)\n"
	       "    op.create_foreign_key('fk', 'users', 'orgs', ['o'], ['id'])\n"
	       "    op.execute(\n        'UPDATE users '\n        'SET a = b'\n    )\n"
	       "    op.execute(sa.text(\"\"\"\n        DROP TABLE old\n    \"\"\"))\n"
	       "    op.execute(f'DROP TABLE {x}')\n"
	       "    op.execute(users.update().values(a=1))\n"
	       "    conn = op.get_bind()\n"
	       "    conn.execute(sa.text('DELETE FROM logs'))\n"
	       "    helper()\n"
	       "    if x:\n        op.rename_table('p', 'q')\n"
	       "\ndef downgrade():\n    op.drop_table('never')\n",
	       "5:create table s.t; 5:new column s.t.id; 5:new reference s.t; 8:add column users.a; 9:drop "
	       "column users.b; "
	       "11:create index users.c; 12:alter type users.d; 12:set not null users.d; 12:rename column "
	       "users.d; "
	       "14:drop default users.z; 15:add foreign key users.o; 17:update users; 21:drop table old; "
	       "23:opaque SQL that is computed; 24:code runs Python on the data; 26:delete logs; "
	       "27:opaque what helper does; 29:rename table p");
	assert_false(found("L3", 11));
	assert_true(found("L8", 12) && found("B4", 8) && found("L4", 15));
	expect("versions/2_x.py",
	       "from alembic import op\ndef upgrade():\n    op.create_index('i', 't', ['a'], "
	       "postgresql_concurrently=True)\n",
	       "3:create index t.a");
	assert_true(found("L3", 3));
	expect("versions/3_x.py", "from alembic import op\nx = 1\n",
	       "1:opaque a file without a function upgrade that can be read");
	expect("versions/4_x.py", "from alembic import op\ndef upgrade():\n    op.execute('no end\n",
	       "1:opaque a file without a function upgrade that can be read");
}

/* --- JavaScript ------------------------------------------------------------------------------------------ */

static void knex(void **state)
{
	UNUSED(state);
	expect(
	    "m/1_x.ts",
	    "import { Knex } from 'knex';\n// up() { knex.schema.dropTable('never') }\n"
	    "export async function up(knex: Knex): Promise<void> {\n"
	    "  await knex.schema\n    .createTable('x', (t) => {\n      t.increments();\n"
	    "      t.integer('u').references('id').inTable('users').index();\n    })\n    "
	    ".dropTable('old');\n"
	    "  await knex.schema.alterTable('users', (t) => t.text('s').notNullable().defaultTo('new'));\n"
	    "  await knex.schema.alterTable('users', function (t) {\n"
	    "    t.dropColumns('a', 'b'); t.renameColumn('p', 'q'); t.string('e', 9).notNullable().alter();\n"
	    "    t.unique(['e']); t.foreign('o').references('orgs.id'); t.index(['a', 'b']);\n  })\n"
	    "  await knex.raw(`\n    DELETE FROM y;\n    DROP VIEW v`)\n"
	    "  await knex.raw(`DROP TABLE ${x}`)\n"
	    "  await knex('users').update({ f: knex.ref('n') })\n"
	    "  await knex('users').where({ a: 1 }).del()\n"
	    "  const rows = await knex('users').select('id')\n"
	    "  await helper(knex)\n"
	    "}\n"
	    "export async function down(knex) { await knex.schema.dropTable('never') }\n",
	    "5:create table x; 5:new column x.id; 5:new column x.u; 5:new reference x; 5:create index x.u; "
	    "9:drop table old; 10:add column users.s; 12:drop column users.a; 12:drop column users.b; "
	    "12:rename column users.p; 12:alter type users.e; 12:set not null users.e; 13:add unique "
	    "users.e; "
	    "13:add foreign key users.o; 13:create index users.a, b; 16:delete y; 17:drop object v; "
	    "18:opaque SQL that is computed; 19:update users; 20:delete users; 22:opaque what helper does");
	expect("m/2_x.js",
	       "exports.up = knex => knex.schema.raw('CREATE INDEX CONCURRENTLY i ON t (a)')\n\n"
	       "exports.down = knex => knex.schema.dropTable('never')\n",
	       "1:create index t.a");
	assert_true(found("L3", 1));
	expect("m/3_x.js",
	       "exports.up = function (knex) { return knex.raw('CREATE INDEX CONCURRENTLY i ON t (a)'); };\n"
	       "exports.down = function () {};\nexports.config = { transaction: false };\n",
	       "1:create index t.a");
	assert_false(found("L3", 1));
}

static void sequelize(void **state)
{
	UNUSED(state);
	expect("m/1_x.js",
	       "module.exports = {\n  async up (queryInterface, Sequelize) {\n"
	       "    await queryInterface.createTable({ tableName: 't', schema: 's' }, {\n"
	       "      id: { type: Sequelize.INTEGER, autoIncrement: true, primaryKey: true },\n"
	       "      o: { type: Sequelize.BIGINT, references: { model: 'orgs', key: 'id' } } });\n"
	       "    await queryInterface.addColumn('users', 'a', { type: Sequelize.STRING(20), allowNull: "
	       "false });\n"
	       "    await queryInterface.addColumn('users', 'c', { type: Sequelize.UUID, defaultValue: "
	       "Sequelize.literal('gen_random_uuid()') });\n"
	       "    await queryInterface.changeColumn('users', 'd', { type: Sequelize.TEXT, allowNull: false "
	       "});\n"
	       "    await queryInterface.addIndex('users', ['a'], { concurrently: true });\n"
	       "    await queryInterface.addConstraint('users', { fields: ['o'], type: 'foreign key', "
	       "references: { table: 'orgs' "
	       "} });\n"
	       "    await queryInterface.sequelize.query('UPDATE users ' +\n      \"SET a = 'x'\");\n"
	       "    await queryInterface.bulkDelete('logs', null, {});\n"
	       "    return Promise.all([queryInterface.removeColumn('users', 'e'), "
	       "queryInterface.dropTable('old')]);\n"
	       "  },\n  down: async (queryInterface) => queryInterface.dropTable('never'),\n};\n",
	       "3:create table s.t; 3:new column s.t.id; 3:new column s.t.o; 3:new reference s.t; 6:add "
	       "column users.a; "
	       "7:add column users.c; 8:alter type users.d; 8:set not null users.d; 9:create index users.a; "
	       "10:add foreign key users.o; 11:update users; 13:delete logs; 14:drop column users.e; 14:drop "
	       "table old");
	assert_true(found("L8", 7) && found("B4", 6));
	assert_false(found("L3", 9));
	expect(
	    "m/2_x.js",
	    "module.exports = { up: (queryInterface) => queryInterface.sequelize.transaction(async (t) => {\n"
	    "  await queryInterface.addIndex('users', ['a'], { concurrently: true });\n}) };\n",
	    "2:create index users.a");
	assert_true(found("L3", 2));
}

static void typeorm(void **state)
{
	UNUSED(state);
	expect(
	    "m/1-X.ts",
	    "export class X1767604200000 implements MigrationInterface {\n    name = 'X1767604200000'\n"
	    "    public async up(queryRunner: QueryRunner): Promise<void> {\n"
	    "        await queryRunner.query(`ALTER TABLE \"users\"\n            DROP COLUMN \"a\"`);\n"
	    "        await queryRunner.createTable(new Table({ name: 't', columns: [{ name: 'id', type: "
	    "'uuid', isPrimary: true }],"
	    " foreignKeys: [{ referencedTableName: 'orgs' }] }), true);\n"
	    "        await queryRunner.addColumn('users', new TableColumn({ name: 'c', type: 'uuid', "
	    "default: "
	    "'gen_random_uuid()' }));\n"
	    "        await queryRunner.dropColumns('users', ['d', 'e']);\n"
	    "        await queryRunner.createIndex('users', new TableIndex({ columnNames: ['b'] }));\n"
	    "        await queryRunner.changeColumn('users', 'f', new TableColumn({ name: 'f', type: "
	    "'bigint' }));\n"
	    "        await queryRunner.query('DROP TABLE ' + this.name);\n"
	    "    }\n    public async down(queryRunner: QueryRunner): Promise<void> {\n"
	    "        await queryRunner.dropTable('never');\n    }\n}\n",
	    "4:drop column users.a; 6:create table t; 6:new column t.id; 6:new reference t; 7:add column "
	    "users.c; "
	    "8:drop column users.d; 8:drop column users.e; 9:create index users.b; 10:alter field users.f; "
	    "11:opaque SQL that is computed");
	assert_true(found("L8", 7) && found("L1", 9) && found("B1", 4));
}

static void node_pg_migrate(void **state)
{
	UNUSED(state);
	expect(
	    "m/1_x.js",
	    "exports.shorthands = undefined;\nexports.up = (pgm) => {\n"
	    "  pgm.createTable('t', { id: 'id', o: { type: 'integer', notNull: true, references: '\"orgs\"' "
	    "} });\n"
	    "  pgm.addColumns('users', { a: { type: 'text', notNull: true }, b: 'varchar(20)' });\n"
	    "  pgm.dropColumns('users', ['c', 'd']);\n"
	    "  pgm.alterColumn('users', 'e', { type: 'bigint', notNull: true });\n"
	    "  pgm.createIndex('users', ['a', 'b'], { concurrently: true });\n"
	    "  pgm.addConstraint('users', 'k', 'CHECK (a > 0) NOT VALID');\n"
	    "  pgm.addConstraint('users', 'f', { foreignKeys: { columns: 'o', references: 'orgs(id)' } });\n"
	    "  pgm.dropView('v');\n  pgm.sql(`UPDATE users\n    SET a = b;\n    DELETE FROM x WHERE id = "
	    "1`);\n};\n"
	    "exports.down = (pgm) => { pgm.dropTable('never'); };\n",
	    "3:create table t; 3:new column t.id; 3:new column t.o; 3:new reference t; 4:add column users.a; "
	    "4:add column users.b; 5:drop column users.c; 5:drop column users.d; 6:alter type users.e; "
	    "6:set not null users.e; 7:create index users.a, b; 8:add check users; 9:add foreign key "
	    "users.o; "
	    "10:drop object v; 11:update users; 13:delete x");
	assert_true(found("L3", 7) && found("B4", 4));
	assert_false(found("L5", 8));
	expect("m/2_x.js",
	       "exports.up = pgm => {\n  pgm.noTransaction()\n  pgm.createIndex('u', 'a', { concurrently: "
	       "true })\n}\n",
	       "2:quiet; 3:create index u.a");
	assert_false(found("L3", 3));
}

/* --- Ruby ------------------------------------------------------------------------------------------------ */

static void rails(void **state)
{
	UNUSED(state);
	expect("db/migrate/1_x.rb",
	       "class X < ActiveRecord::Migration[7.1]\n  disable_ddl_transaction!\n\n  def up\n"
	       "    create_table :t, id: :uuid do |t|\n      t.string :name, null: false, index: { unique: "
	       "true }\n"
	       "      t.references :org, null: false, foreign_key: true\n    end\n"
	       "    add_column :users, :a, :string, null: false\n"
	       "    add_column(:users, :b, :uuid,\n               default: -> { \"gen_random_uuid()\" })\n"
	       "    safety_assured { remove_column :users, :d }\n"
	       "    rename_column :users, :g, :h if column_exists?(:users, :g)\n"
	       "    change_column_null :users, :j, false\n"
	       "    add_index :users, %i[a b], algorithm: :concurrently\n"
	       "    add_reference :users, :team, index: { algorithm: :concurrently }\n"
	       "    change_table :users, bulk: true do |t|\n      t.integer :x\n      t.remove :y\n    end\n"
	       "    execute <<~SQL\n      UPDATE users SET a = b WHERE a IS NULL;\n\n      DROP VIEW v;\n    "
	       "SQL\n"
	       "    execute \"DROP TABLE #{name}\"\n"
	       "    User.where(a: nil).in_batches do |batch|\n      batch.update_all(a: 1)\n    end\n"
	       "    reversible do |dir|\n      dir.up { execute 'TRUNCATE logs' }\n"
	       "      dir.down { execute 'DROP TABLE never' }\n    end\n"
	       "    helper_of_ours :users\n    drop_table :old, if_exists: true\n  end\n\n"
	       "  def down\n    drop_table :never\n  end\nend\n",
	       "5:create table t; 5:new column t.id; 5:new column t.name; 5:create index t.name; 5:new "
	       "column t.org_id; "
	       "5:new reference t; 5:create index t.org_id; 9:add column users.a; 10:add column users.b; "
	       "12:drop column users.d; 13:rename column users.g; 14:set not null users.j; 15:create index "
	       "users.a, b; "
	       "16:add column users.team_id; 16:create index users.team_id; 18:add column users.x; 19:drop "
	       "column users.y; "
	       "22:update users; 24:drop object v; 26:opaque SQL that is computed; 27:code runs Ruby on the "
	       "data; "
	       "31:truncate logs; 34:opaque what helper_of_ours does; 35:drop table old");
	assert_true(found("L8", 10) && found("B4", 9) && found("L7", 14));
	assert_false(found("L3", 15));
	assert_false(found("B1", 12));
	expect("db/migrate/2_x.rb",
	       "class X < ActiveRecord::Migration[6.1]\n  def change\n    add_index :t, :a, algorithm: "
	       ":concurrently\n"
	       "    if Rails.env.production?\n      add_column :t, :b, :text\n    end\n"
	       "    while x do y end\n    remove_column :t, :c, :text unless z\n  end\n\n  def later\n    "
	       "drop_table :never\n  end\nend\n",
	       "3:create index t.a; 5:add column t.b; 8:drop column t.c");
	assert_true(found("L3", 3));
	expect("db/migrate/3_x.rb",
	       "class X < ActiveRecord::Migration[6.1]\n  def self.up\n    drop_table :a\n  end\nend\n",
	       "3:drop table a");
	expect("db/migrate/4_x.rb", "class X\nend\n",
	       "1:opaque a file without a method change or up that can be read");
}

/* --- changelogs ------------------------------------------------------------------------------------------ */

static void liquibase(void **state)
{
	UNUSED(state);
	expect("c.yaml",
	       "databaseChangeLog:\n  - property: {name: x, value: y}\n  - changeSet:\n      id: 1\n      "
	       "runInTransaction: false\n"
	       "      changes:\n        - createTable:\n            tableName: t\n            columns:\n"
	       "              - column: {name: id, type: bigint, autoIncrement: true}\n"
	       "              - column:\n                  name: o\n                  type: bigint\n"
	       "                  constraints:\n                    references: orgs(id)\n"
	       "        - dropColumn: {tableName: users, columnName: b}   # a comment\n"
	       "        - createIndex:\n            tableName: users\n            columns:\n            - "
	       "column:\n"
	       "                name: a\n"
	       "        - sql:\n            sql: |\n              UPDATE users\n                SET a = 1;\n"
	       "              CREATE INDEX CONCURRENTLY i ON users (a);\n"
	       "        - customChange: {class: com.example.X}\n"
	       "      rollback:\n        - dropTable: {tableName: never}\n"
	       "  - changeSet: {id: 2, dbms: oracle, changes: [{dropTable: {tableName: never}}]}\n",
	       "7:create table t; 7:new column t.id; 7:new column t.o; 7:new reference t; 16:drop column "
	       "users.b; "
	       "17:create index users.a; 24:update users; 26:create index users.a; 27:opaque change "
	       "customChange");
	assert_false(found("L3", 26));
	expect(
	    "c.xml",
	    "<?xml version=\"1.0\"?>\n<!-- <dropTable tableName=\"never\"/> -->\n<databaseChangeLog "
	    "xmlns=\"x\">\n"
	    " <changeSet id=\"1\" author=\"a\">\n  <addNotNullConstraint tableName=\"users\" "
	    "columnName=\"a\"/>\n"
	    "  <addForeignKeyConstraint baseTableName=\"users\" baseColumnNames=\"o\"\n   "
	    "referencedTableName=\"orgs\"/>\n"
	    "  <sql><![CDATA[\n   CREATE INDEX CONCURRENTLY q\n     ON users (a)\n  ]]></sql>\n"
	    "  <sql>DELETE FROM x WHERE a &lt; 1</sql>\n  <sqlFile path=\"x.sql\"/>\n"
	    "  <rollback><dropTable tableName=\"never\"/></rollback>\n </changeSet>\n</databaseChangeLog>\n",
	    "5:set not null users.a; 6:add foreign key users.o; 9:create index users.a; 12:delete x; "
	    "13:opaque the SQL of x.sql");
	assert_true(found("L3", 9) && found("L7", 5) && found("L4", 6));
	expect("c.json",
	       "{ \"databaseChangeLog\": [\n  { \"changeSet\": { \"id\": \"1\", \"changes\": [\n"
	       "    { \"dropTable\": { \"tableName\": \"t\" } },\n"
	       "    { \"addColumn\": { \"tableName\": \"u\", \"columns\": [ { \"column\": { \"name\": \"a\", "
	       "\"type\": \"text\" } } ] } }\n"
	       "  ] } }\n] }\n",
	       "3:drop table t; 4:add column u.a");
	expect("c.xml", "<databaseChangeLog><changeSet>", "1:opaque a changelog that cannot be read");
	expect("c.yaml", "databaseChangeLog: [", "1:opaque a changelog that cannot be read");
}

static void unknown_programs(void **state)
{
	UNUSED(state);
	expect("m/1_x.go", "package x", "1:opaque a program");
	assert_false(report.recognized);
	expect("m/x.js", "console.log(1)", "1:opaque a program");
	expect("m/V1__x.java", "class V1__x {}", "1:opaque a program");
}

/* --- scanners -------------------------------------------------------------------------------------------- */

static void scanners(void **state)
{
	static const char js[] =
	    "a = b / c / d; x = /[/'\"]+/g; `t ${ `i ${1}` } 'q'`; f(/* ) */ 'it\\'s', // )\n\"x\")";
	static const char rb[] = "x = a / b; y = /[\"']/; s = <<~A + <<~'B'\n  one #{x}\nA\n  two\nB\nz = "
	                         "%w[a b] + [:c, 'd', d: 1]\n";
	struct js_token *t = NULL;
	struct rb_token *r = NULL;
	int n = js_scan(js, sizeof(js) - 1, &t), n_regex = 0, n_template = 0, n_string = 0, n_heredoc = 0;

	UNUSED(state);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		n_regex += t[i].kind == JS_REGEX;
		n_template += t[i].kind == JS_TEMPLATE;
		n_string += t[i].kind == JS_STRING;
	}
	assert_int_equal(n_regex, 1);
	assert_int_equal(n_template, 1);
	assert_int_equal(n_string, 2);
	free(t);
	n = rb_scan(rb, sizeof(rb) - 1, &r);
	assert_true(n > 0);
	for (int i = 0; i < n; i++)
		if (r[i].kind == RB_HEREDOC) {
			assert_int_equal(r[i].computed, n_heredoc == 0);
			assert_int_equal(strncmp(r[i].body, n_heredoc == 0 ? "  one" : "  two", 5), 0);
			n_heredoc++;
		}
	assert_int_equal(n_heredoc, 2);
	free(r);
	assert_int_equal(js_scan("f(", 2, &t), -1);
	assert_int_equal(js_scan("`a", 2, &t), -1);
	assert_int_equal(rb_scan("'a", 2, &r), -1);
	assert_int_equal(rb_scan("x <<~A\nb", 8, &r), -1);
}

/* Any pieces: no crash, and every act has a line of the file. */
static void survives_any_bytes(void **state)
{
	static const char *const pieces[] = {"exports.up",
	                                     " = ",
	                                     "async",
	                                     "(",
	                                     ")",
	                                     "=>",
	                                     "{",
	                                     "}",
	                                     "pgm.",
	                                     "knex.schema.",
	                                     "dropColumn",
	                                     "'a'",
	                                     "`",
	                                     "${",
	                                     "def up\n",
	                                     "end\n",
	                                     "do |t|\n",
	                                     "execute ",
	                                     "<<~A\n",
	                                     "A\n",
	                                     "add_column ",
	                                     ":t, ",
	                                     "null: ",
	                                     "op.",
	                                     "def upgrade():\n    ",
	                                     "drop_table",
	                                     "\n",
	                                     "    ",
	                                     "[",
	                                     "]",
	                                     "class Migration(m):\n    operations = [",
	                                     "migrations.RunSQL(",
	                                     "\"",
	                                     ",",
	                                     "changeSet",
	                                     "<",
	                                     ">",
	                                     "/>",
	                                     "- ",
	                                     ": ",
	                                     "|\n",
	                                     "/",
	                                     "#",
	                                     "%w[",
	                                     "\\",
	                                     "\xff",
	                                     "\x1b",
	                                     ".",
	                                     ";",
	                                     "if "};
	static const char *const paths[] = {"a.js", "a.ts", "a.rb", "a.xml", "a.yaml", "a.json", "a.sql"};
	static const enum lint_tool tools[] = {
	    LINT_TOOL_KNEX,   LINT_TOOL_SEQUELIZE, LINT_TOOL_TYPEORM, LINT_TOOL_NODE_PG_MIGRATE,
	    LINT_TOOL_DJANGO, LINT_TOOL_ALEMBIC,   LINT_TOOL_RAILS,   LINT_TOOL_LIQUIBASE};
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int i = 0; i < 6000; i++) {
		struct lint_context ctx = {.tool = tools[prng_below(&p, ARRAY_LEN(tools))]};
		const char *path = ctx.tool == LINT_TOOL_DJANGO || ctx.tool == LINT_TOOL_ALEMBIC
		                       ? "a.py"
		                       : paths[prng_below(&p, ARRAY_LEN(paths))];
		char text[1024];
		size_t n = 0;
		struct arena a;

		for (size_t k = prng_below(&p, 40); k > 0; k--)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
			                      pieces[prng_below(&p, ARRAY_LEN(pieces))]);
		arena_init(&a, ARENA_DEFAULT_MAX);
		lint_file(&a, path, text, n, &ctx, &report);
		for (int k = 0; k < report.acts.n; k++)
			assert_true(report.acts.items[k].line >= 1);
		arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(django, setup, teardown),
	    cmocka_unit_test_setup_teardown(django_history, setup, teardown),
	    cmocka_unit_test_setup_teardown(alembic, setup, teardown),
	    cmocka_unit_test_setup_teardown(knex, setup, teardown),
	    cmocka_unit_test_setup_teardown(sequelize, setup, teardown),
	    cmocka_unit_test_setup_teardown(typeorm, setup, teardown),
	    cmocka_unit_test_setup_teardown(node_pg_migrate, setup, teardown),
	    cmocka_unit_test_setup_teardown(rails, setup, teardown),
	    cmocka_unit_test_setup_teardown(liquibase, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_programs, setup, teardown),
	    cmocka_unit_test(scanners),
	    cmocka_unit_test(survives_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
