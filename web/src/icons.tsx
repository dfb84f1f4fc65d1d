import type { ComponentChildren, JSX } from "preact";

interface IconProps {
  label?: string;
}

const Svg = ({ label, children }: IconProps & { children: ComponentChildren }): JSX.Element => (
  <svg class="icon" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" })}>
    {children}
  </svg>
);

export const SearchIcon = (p: IconProps) => <Svg {...p}><circle cx="7" cy="7" r="4.5" /><path d="M10.5 10.5 14 14" /></Svg>;
export const RunIcon = (p: IconProps) => <Svg {...p}><path d="M4.5 2.8v10.4L13 8z" fill="currentColor" /></Svg>;
export const StopIcon = (p: IconProps) => <Svg {...p}><rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" /></Svg>;
export const SunIcon = (p: IconProps) => <Svg {...p}><circle cx="8" cy="8" r="3" /><path d="M8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M12.8 3.2l-1.1 1.1M4.3 11.7l-1.1 1.1" /></Svg>;
export const MoonIcon = (p: IconProps) => <Svg {...p}><path d="M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1z" /></Svg>;
export const ArrowIcon = (p: IconProps) => <Svg {...p}><path d="M3 8h10M9 4l4 4-4 4" /></Svg>;
export const CloseIcon = (p: IconProps) => <Svg {...p}><path d="m4 4 8 8M12 4l-8 8" /></Svg>;
export const CopyIcon = (p: IconProps) => <Svg {...p}><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 3.5v-.2A1.3 1.3 0 0 0 9.2 2H3.8A1.8 1.8 0 0 0 2 3.8v5.4a1.3 1.3 0 0 0 1.3 1.3h.2" /></Svg>;
export const DownloadIcon = (p: IconProps) => <Svg {...p}><path d="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" /></Svg>;
export const ClockIcon = (p: IconProps) => <Svg {...p}><circle cx="8" cy="8" r="6" /><path d="M8 4.5V8l2.5 1.5" /></Svg>;
export const TableIcon = (p: IconProps) => <Svg {...p}><rect x="2" y="3" width="12" height="10" rx="1.5" /><path d="M2 6.5h12M6.5 6.5V13" /></Svg>;
export const ChevronIcon = (p: IconProps) => <Svg {...p}><path d="m6 4 4 4-4 4" /></Svg>;

/* The mark: layers of sediment. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke-linecap="round">
    <path class="mark-a" d="M5 8h22" stroke-width="4" />
    <path class="mark-b" d="M5 14.5h15" stroke-width="4" />
    <path class="mark-c" d="M5 20.5h19" stroke-width="2.6" />
    <path class="mark-a" d="M5 26h10" stroke-width="2.6" />
  </svg>
);
