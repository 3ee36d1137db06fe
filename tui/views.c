/* The one list of views, by screen. */
#include "tui/view.h"

extern const struct view view_board, view_logs, view_metrics, view_rollouts, view_approvals, view_migrations,
    view_history, view_doctor, view_plan, view_rollback, view_rollout, view_info, view_errors, view_output,
    view_help, view_migration, view_commit;

const struct view *const views[SCREEN_COUNT] = {
    [SCREEN_BOARD] = &view_board,         [SCREEN_LOGS] = &view_logs,
    [SCREEN_METRICS] = &view_metrics,     [SCREEN_ROLLOUTS] = &view_rollouts,
    [SCREEN_APPROVALS] = &view_approvals, [SCREEN_MIGRATIONS] = &view_migrations,
    [SCREEN_HISTORY] = &view_history,     [SCREEN_DOCTOR] = &view_doctor,
    [SCREEN_PLAN] = &view_plan,           [SCREEN_ROLLBACK] = &view_rollback,
    [SCREEN_ROLLOUT] = &view_rollout,     [SCREEN_INFO] = &view_info,
    [SCREEN_ERRORS] = &view_errors,       [SCREEN_OUTPUT] = &view_output,
    [SCREEN_HELP] = &view_help,           [SCREEN_MIGRATION] = &view_migration,
    [SCREEN_COMMIT] = &view_commit,
};
