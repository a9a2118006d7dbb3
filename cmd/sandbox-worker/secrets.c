/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/secrets.h"

#include <stddef.h>

const char *const secrets_variables[] = {
	"ANTHROPIC_API_KEY",
	"ANTHROPIC_AUTH_TOKEN",
	"ANTHROPIC_CUSTOM_HEADERS",
	"ANTHROPIC_ENVIRONMENT_KEY",
	"ANTHROPIC_WEBHOOK_SIGNING_KEY",
	"ANTHROPIC_WORK_SECRET",
	NULL,
};
