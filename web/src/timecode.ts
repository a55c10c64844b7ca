/** HH:MM:SS:FF of a frame, counting whole frames of the rounded rate as editors do. */
export function timecode(frame: number, rate: number): string {
  const second = Math.max(1, Math.round(rate));
  const seconds = Math.floor(frame / second);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return [...parts, frame % second].map((part) => String(part).padStart(2, "0")).join(":");
}

/** The frame of "1234", "12:30", "0:12:30" or "00:12:30:05", or null. */
export function frameOf(text: string, rate: number): number | null {
  if (/^\d+$/.test(text)) return Number(text);
  const parts = text.split(":");
  if (parts.length < 2 || parts.length > 4 || !parts.every((part) => /^\d{1,3}$/.test(part))) {
    return null;
  }
  const frames = parts.length === 4 ? Number(parts.pop()) : 0;
  const seconds = parts.reduce((sum, part) => sum * 60 + Number(part), 0);
  return seconds * Math.max(1, Math.round(rate)) + frames;
}

/** "about 3 min left" of seconds. */
export function remaining(seconds: number): string {
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds))} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

export function percent(share: number): string {
  if (share > 0 && share < 0.01) return "<\u00a01\u00a0%";
  return `${Math.round(share * 100)}\u00a0%`;
}
