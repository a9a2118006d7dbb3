// SPDX-License-Identifier: ISC
export const bad = {};
