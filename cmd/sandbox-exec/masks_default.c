/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks_default.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "cmd/sandbox-exec/masks_hide.h"
#include "cmd/sandbox-exec/setting.h"
#include "common/str.h"

/* Below a home directory. */
static const char *const home_secrets[] = {
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".netrc", ".npmrc",
	".yarnrc.yml", ".pypirc", ".pgpass", ".my.cnf", ".s3cfg",
	".vault-token", ".databrickscfg", ".snowflake", ".password-store",
	".git-credentials", ".*_history", ".mozilla", ".thunderbird",
	".bitcoin", ".electrum", ".cargo/credentials*", ".gem/credentials",
	".docker/config.json", ".m2/settings.xml",
	".gradle/gradle.properties", ".terraform.d/credentials.tfrc.json",
	".claude/.credentials.json", ".claude.json", ".codex/auth.json",
	".gemini/oauth_creds.json", ".local/share/opencode/auth.json",
	".config/github-copilot", ".config/anthropic", ".config/sops",
	".config/configstore", ".config/pypoetry/auth.toml",
	".config/composer/auth.json", ".composer/auth.json",
	".config/helm/registry", ".config/heroku", ".config/netlify",
	".local/share/com.vercel.cli", ".fly", ".oci", ".aliyun", ".boto",
	".terraformrc", ".pulumi/credentials.json", ".ivy2/.credentials",
	".sbt/.credentials", ".nuget/NuGet", ".config/NuGet",
	".local/share/atuin", ".zhistory", ".histfile", ".lesshst",
	".viminfo", ".local/state/nvim", ".emacs.d/server", ".pki",
	".1password", ".config/1Password", ".config/Bitwarden CLI",
	".config/Signal", ".config/Slack", ".config/discord",
	".docker/run", ".docker/desktop", ".colima", ".lima", ".rd",
	".orbstack", ".local/share/containers/podman",
	".huggingface/token", ".cache/huggingface/token",
	".config/git/credentials", ".config/gcloud", ".config/gh",
	".config/glab-cli", ".config/hub", ".config/op", ".config/rclone",
	".config/doctl", ".config/hcloud", ".config/containers/auth.json",
	".config/google-chrome*", ".config/chromium", ".config/microsoft-edge*",
	".config/BraveSoftware", ".config/vivaldi", ".config/opera",
	".local/share/keyrings", ".local/share/kwalletd",
	".local/share/fish/fish_history", ".Xauthority", ".ICEauthority",
	".librewolf", ".waterfox", ".zen", ".var/app", "snap/firefox",
	"snap/chromium", "snap/brave", "snap/thunderbird", ".subversion/auth",
	".config/stripe", ".config/ngrok", ".ngrok2", ".cloudflared",
	".config/solana", ".foundry/keystores", ".ethereum", ".bitmonero",
	".kaggle", ".config/linode-cli", ".config/argocd", ".talos",
	".msmtprc", ".mbsyncrc", ".fetchmailrc", ".smbcredentials",
	".vnc/passwd", ".local/share/remmina",
	".local/share/TelegramDesktop", ".kde/share/apps/kwallet", NULL,
};

/* Below /etc, where that is granted: root's files would be the payload's. */
static const char *const etc_secrets[] = {
	"*shadow*", "ssh/*key", "ssl/private", "krb5.keytab",
	"security/opasswd", NULL,
};

/* In the /etc that is shown by default the payload can read only what
 * everybody can: looking for other names than the usual would cost each start
 * more than all that is below. */
static const char *const etc_usual[] = {
	"shadow", "shadow-", "gshadow", "gshadow-", "shadow.bak", "shadow~",
	"ssh/ssh_host_rsa_key", "ssh/ssh_host_dsa_key",
	"ssh/ssh_host_ecdsa_key", "ssh/ssh_host_ed25519_key", "ssl/private",
	"krb5.keytab", "security/opasswd", NULL,
};

/* Below /; sockets of container engines and service managers stand for all of
 * the host. */
static const char *const system_secrets[] = {
	"run/secrets", "var/run/secrets", "run/docker.sock", "run/podman",
	"run/containerd", "run/user", "run/crio", "run/k3s", "run/incus",
	"run/lxd.socket", "var/lib/lxd/unix.socket",
	"var/lib/incus/unix.socket", "var/snap/lxd/common/lxd/unix.socket",
	"var/snap/lxd/common/lxd-user/unix.socket", "run/dbus",
	"run/systemd/private", "run/libvirt", "run/snapd.socket",
	"run/screen", "run/tmux", NULL,
};

/* Hides what is secret in the directories of the pattern dir, which has no
 * "**", in a grant that is in one of them or has one in it; path is the
 * grant's, by the same names.  Neither begins with a slash. */
static void
hide_in(struct finder *f, const struct policy_path *grant, const char *path,
    const char *dir, const char *const *secrets)
{
	char pattern[2 * PATH_LEN];

	while (*path != '\0' && *dir != '\0') {
		size_t part = strcspn(dir, "/"), len = strcspn(path, "/");
		char name[NAME_MAX + 1];

		if (str_from_bytes(name, sizeof name, bytes_of(path, len)) !=
		    0 || !path_match_part(dir, part, name))
			return;
		dir += part + (dir[part] == '/');
		path += len + (path[len] == '/');
	}
	for (; *secrets != NULL; secrets++) {
		if (*dir == '\0')
			masks_hide_granted(f, grant, path, *secrets);
		else if (str_format(pattern, sizeof pattern, "%s/%s", dir,
		    *secrets) == 0)
			masks_hide_granted(f, grant, "", pattern);
	}
}

/* The same wherever the host's directories are granted. */
static void
hide_host(struct finder *f, const char *dir, const char *const *secrets)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count; i++) {
		if (masks_is_grant(&p->paths[i]))
			hide_in(f, &p->paths[i], p->paths[i].host + 1, dir,
			    secrets);
	}
}

/* The command's home directory may have no such name outside. */
static void
hide_home_inside(struct finder *f, const char *home)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count; i++) {
		if (masks_is_grant(&p->paths[i]))
			hide_in(f, &p->paths[i], p->paths[i].inside + 1, home,
			    home_secrets);
	}
}

static void
hide_homes(struct finder *f)
{
	const struct policy *p = f->policy;
	char home[2 * PATH_LEN];

	path_escape(setting_home(p) + 1, home);
	hide_home_inside(f, home);
	hide_host(f, home, home_secrets);
	for (int i = 0; i < POLICY_HOMES; i++) {
		if (p->home_of[i] == NULL)
			continue;
		path_escape(p->home_of[i] + 1, home);
		if (i == POLICY_OTHERS)
			str_format(home + strlen(home), 3, "/*");
		hide_host(f, home, home_secrets);
	}
}

static void
hide_usual(struct finder *f)
{
	int fd = finder_open_inside(f, "/etc", O_PATH | O_DIRECTORY);
	struct stat st;

	if (fd == -1)
		return;
	finder_leave(f, 0);
	if (finder_enter(f, "etc", &(size_t){0})) {
		for (const char *const *name = etc_usual; *name != NULL;
		    name++) {
			if (fstatat(fd, *name, &st, AT_SYMLINK_NOFOLLOW) == 0)
				masks_hide_in(f, fd, *name);
		}
		finder_leave(f, 0);
	}
	close(fd);
}

void
masks_hide_defaults(struct finder *f)
{
	f->is_default = true;
	if (f->policy->default_files)
		hide_usual(f);
	hide_host(f, "etc", etc_secrets);
	hide_host(f, "", system_secrets);
	hide_homes(f);
	f->is_default = false;
}
