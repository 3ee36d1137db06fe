#include "tests/lib/config_drivers.h"

static const char *const modes[] = {"rolling", "blue-green", NULL};

static const struct option_desc store_options[] = {
    {.name = "path", .type = OPTION_PATH, .required = true, .text = "The file.", .example = "state/store.db"},
    {.name = NULL},
};
static const struct option_desc deploy_options[] = {
    {.name = "root",
     .type = OPTION_PATH,
     .required = true,
     .text = "The folder.",
     .example = "hosts/{env}/web"},
    {.name = "restart",
     .type = OPTION_ARGV,
     .text = "Starts an instance.",
     .example = "[restart, \"{instance}\"]"},
    {.name = "version_url", .type = OPTION_URL, .text = "Tells the version.", .example = "\"{url}/version\""},
    {.name = "mode", .type = OPTION_CHOICE, .choices = modes, .otherwise = "rolling", .text = "How."},
    {.name = "keep", .type = OPTION_INT, .otherwise = "5", .min = 1, .max = 100, .text = "Releases kept."},
    {.name = "drain", .type = OPTION_DURATION, .otherwise = "5s", .min = 0, .max = US_PER_H, .text = "Wait."},
    {.name = "force", .type = OPTION_BOOL, .otherwise = "false", .text = "Always."},
    {.name = "labels", .type = OPTION_MAP, .text = "Labels.", .example = "{team: shop}"},
    {.name = "hosts", .type = OPTION_LIST, .otherwise = "[a, b]", .text = "Hosts."},
    {.name = "token", .type = OPTION_SECRET, .text = "Token.", .example = "{env: TOKEN}"},
    {.name = "note", .type = OPTION_STRING, .text = "Anything."},
    {.name = NULL},
};
static const struct option_desc url_options[] = {
    {.name = "url", .type = OPTION_URL, .required = true, .text = "Address.", .example = "\"{url}/health\""},
    {.name = "interval",
     .type = OPTION_DURATION,
     .otherwise = "5s",
     .min = 100 * US_PER_MS,
     .max = US_PER_H,
     .text = "How often."},
    {.name = NULL},
};
static const struct option_desc path_options[] = {
    {.name = "path", .type = OPTION_PATH, .required = true, .text = "Path.", .example = "repo"},
    {.name = "tags", .type = OPTION_STRING, .otherwise = "v*", .text = "Tags."},
    {.name = NULL},
};
static const struct option_desc none[] = {{.name = NULL}};

static const struct driver store = {
    .port = PORT_STORE, .name = "sqlite", .summary = "a file", .options = store_options};
static const struct driver host = {
    .port = PORT_DEPLOY, .name = "host", .summary = "folders", .options = deploy_options};
static const struct driver null_deploy = {
    .port = PORT_DEPLOY, .name = "null", .summary = "nothing", .options = none};
static const struct driver probe = {
    .port = PORT_METRICS, .name = "probe", .summary = "asks", .options = url_options};
static const struct driver text = {
    .port = PORT_METRICS, .name = "text", .summary = "reads", .options = url_options};
static const struct driver git = {
    .port = PORT_FORGE, .name = "git", .summary = "git", .options = path_options};
static const struct driver oci = {
    .port = PORT_REGISTRY, .name = "oci-layout", .summary = "oci", .options = path_options};
static const struct driver file = {
    .port = PORT_LOGS, .name = "file", .summary = "files", .options = path_options};
static const struct driver vars = {
    .port = PORT_VARS, .name = "envfile", .summary = "files", .options = path_options};
static const struct driver django = {
    .port = PORT_MIGRATE, .name = "django", .summary = "django", .options = path_options};

const struct driver *const config_test_drivers[] = {&store, &host, &null_deploy, &probe,  &text, &git,
                                                    &oci,   &file, &vars,        &django, NULL};
