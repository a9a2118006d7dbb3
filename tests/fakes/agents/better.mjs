// SPDX-License-Identifier: ISC
export const better = {};
