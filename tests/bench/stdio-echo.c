/* SPDX-License-Identifier: ISC */
/* An MCP server on standard input and output that does next to nothing: it
 * answers every request with a line of text, so that what is measured is what
 * stands before it. */
#include <stdio.h>
#include <string.h>

enum { LINE_LEN = 1 << 16, ID_LEN = 64 };

static const char greeting[] = "{\"protocolVersion\":\"2025-06-18\","
    "\"capabilities\":{\"tools\":{}},"
    "\"serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}}";
static const char answer[] = "{\"content\":[{\"type\":\"text\",\"text\":"
    "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]}";
static const char tools[] = "{\"tools\":[{\"name\":\"echo\","
    "\"inputSchema\":{\"type\":\"object\"}}]}";

static const char *
result_of(const char *line)
{
	if (strstr(line, "\"initialize\"") != NULL)
		return greeting;
	if (strstr(line, "\"tools/list\"") != NULL)
		return tools;
	return answer;
}

int
main(void)
{
	static char line[LINE_LEN];

	while (fgets(line, sizeof line, stdin) != NULL) {
		const char *id = strstr(line, "\"id\":");
		size_t len;

		if (id == NULL)
			continue;
		id += strlen("\"id\":");
		len = strcspn(id, ",}");
		if (strstr(line, "\"server/discover\"") != NULL)
			printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":"
			    "{\"code\":-32601,\"message\":\"no\"}}\n",
			    (int)len, id);
		else
			printf("{\"result\":%s,\"jsonrpc\":\"2.0\","
			    "\"id\":%.*s}\n", result_of(line), (int)len, id);
		fflush(stdout);
	}
	return 0;
}
