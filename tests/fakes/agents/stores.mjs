// SPDX-License-Identifier: ISC
//
// Skills, as archives by version, and memory stores with preconditions.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { error, ok } from './api.mjs';
import { tar, zip } from './archive.mjs';

const MEMORY_MAX = 102400;
const PATH_MAX = 1024;

export class Skills {
	// skills: id -> {name, members, format: "zip" | "tar", bytes}.  A member may
	// have its data in a file.
	constructor(skills) {
		this.skills = skills;
	}

	version(id, version) {
		const skill = this.skills[id];
		if (!skill)
			return error(404, `no skill ${id}`);
		return ok({ id: version === 'latest' ? 'skver_9' : version,
		    type: 'skill_version', name: skill.name, skill_id: id,
		    description: 'a skill', created_at: '2026-11-01T00:00:00Z' });
	}

	content(id, version) {
		const skill = this.skills[id];
		if (!skill || version === 'latest')
			return error(404, `no skill ${id} ${version}`);
		const members = skill.members?.map((m) => m.file
		    ? { ...m, data: fs.readFileSync(m.file) } : m);
		const body = skill.bytes ?? (skill.format === 'tar' ? tar : zip)(
		    members);
		return { status: 200, body, type: 'application/octet-stream' };
	}
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function pathRefused(path) {
	if (typeof path !== 'string' || !path.startsWith('/') ||
	    path.length > PATH_MAX || path.split('/').length > 21)
		return error(400, `path: ${path}`);
	return null;
}

export class MemoryStore {
	byId = new Map();
	serial = 0;

	constructor(id, memories) {
		this.id = id;
		for (const [path, content] of Object.entries(memories))
			this.put(path, content);
	}

	put(path, content) {
		const old = [...this.byId.values()].find((m) => m.path === path);
		const memory = {
			id: old?.id ?? `mem_${this.id}_${++this.serial}`,
			type: 'memory', path, content,
			content_sha256: sha256(content),
			content_size_bytes: Buffer.byteLength(content),
			memory_version_id: `memver_${++this.serial}`,
			memory_store_id: this.id,
			created_at: old?.created_at ?? new Date().toISOString(),
			updated_at: new Date().toISOString(),
		};
		this.byId.set(memory.id, memory);
		return memory;
	}

	// path -> content
	contents() {
		return Object.fromEntries([...this.byId.values()]
		    .map((m) => [m.path, m.content]).sort());
	}

	show(memory, view) {
		return view === 'full' ? memory : { ...memory, content: null };
	}

	list({ view = 'basic', limit = '20', page = '0' }) {
		const all = [...this.byId.values()];
		const end = Number(page) + Number(limit);
		return ok({ data: all.slice(Number(page), end)
		    .map((m) => this.show(m, view)),
		    next_page: end < all.length ? String(end) : null });
	}

	get(id, { view = 'basic' }) {
		const memory = this.byId.get(id);
		return memory ? ok(this.show(memory, view))
		    : error(404, `no memory ${id}`);
	}

	create(body) {
		const { path, content } = body ?? {};
		const refused = pathRefused(path);
		if (refused)
			return refused;
		if (typeof content !== 'string' ||
		    Buffer.byteLength(content) > MEMORY_MAX)
			return error(413, 'content');
		if ([...this.byId.values()].some((m) => m.path === path))
			return error(409, `${path} exists`);
		return ok(this.put(path, content));
	}

	update(id, body) {
		const memory = this.byId.get(id);
		if (!memory)
			return error(404, `no memory ${id}`);
		if (body?.precondition?.type !== 'content_sha256' ||
		    typeof body.content !== 'string')
			return error(400, 'precondition, content');
		if (body.precondition.content_sha256 !== memory.content_sha256)
			return error(409, `${memory.path} changed`, undefined,
			    'memory_precondition_failed_error');
		return ok(this.put(memory.path, body.content));
	}

	remove(id, { expected_content_sha256: expected }) {
		const memory = this.byId.get(id);
		if (!memory)
			return error(404, `no memory ${id}`);
		if (expected !== undefined && expected !== memory.content_sha256)
			return error(409, `${memory.path} changed`, undefined,
			    'memory_precondition_failed_error');
		this.byId.delete(id);
		return ok({ id, type: 'memory_deleted' });
	}
}
