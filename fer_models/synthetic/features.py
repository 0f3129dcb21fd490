"""Draw eyes, brows, nose and mouth of synthetic faces, moved by their action units.

All traits are of shape B x 1 x 1; lengths are in half face heights.
"""

import numpy as np

from fer_models.synthetic.action_units import Floats, Traits
from fer_models.synthetic.canvas import Canvas, bump, ellipse


def draw_brows(canvas: Canvas, traits: Traits) -> None:
    """Draw the brows: AU1 raises the inner ends, AU2 the outer ones, AU4 lowers and joins them."""
    t = traits
    length = 0.22
    middle = t["eye_distance"] + 0.01 - 0.05 * t["au4"]
    along = (canvas.side - middle) / length
    sideways = 1.0 + t["asymmetry"] * np.sign(canvas.across)
    inner = (0.15 * t["au1"] - 0.15 * t["au4"]) * sideways
    outer = (0.13 * t["au2"] - 0.03 * t["au4"] - 0.03 * t["au1"]) * sideways
    height = t["eye_height"] - t["brow_height"] - t["brow_arch"] * (1.0 - along * along)
    height = height - inner * (1.0 - along) / 2 - outer * (1.0 + along) / 2
    thickness = t["brow_thickness"] * (1.1 - 0.35 * along)
    distance = np.maximum(np.abs(canvas.down - height) - thickness, (np.abs(along) - 1.0) * length)
    canvas.paint(canvas.cover(distance) * 0.85, t["hair"] * 0.7 + 0.02)
    _draw_forehead(canvas, traits)


def _draw_forehead(canvas: Canvas, traits: Traits) -> None:
    t = traits
    frown = t["au4"] * (0.35 + 0.3 * t["age"])
    height = (canvas.down - t["eye_height"] + t["brow_height"] * 0.75) / 0.13
    canvas.line(canvas.side - 0.055, height, 0.045, frown)
    raised = np.maximum(t["au2"], t["au1"] * 0.8) * (0.15 + 0.25 * t["age"])
    for level in (0.3, 0.4):
        wave = canvas.down - t["eye_height"] + t["brow_height"] + level - 0.2 + 0.1 * canvas.side
        canvas.line(wave, canvas.across / 0.42, 0.035, raised)


def draw_eyes(canvas: Canvas, traits: Traits) -> None:
    """Draw the eyes: AU5 widens and AU6 and AU7 narrow them, AU43 lowers the upper lid."""
    t = traits
    x = canvas.side - t["eye_distance"]
    y = canvas.down - t["eye_height"] - t["eye_slant"] * x / t["eye_width"]
    y = y - 0.035 * t["au1"] * t["au4"] * x / t["eye_width"]
    canvas.darken(0.16 * bump(ellipse(x, y + 0.02, 0.29, 0.2)))
    along = x / t["eye_width"]
    arc = 1.0 - along * along
    upper = 1.0 + 0.75 * t["au5"] - 0.4 * t["au7"] - 0.35 * t["au6"] - 0.6 * t["au43"]
    upper = 0.1 * t["eye_opening"] * np.maximum(upper - 0.3 * t["au9"], 0.08)
    lower = 0.062 * np.maximum(1.0 - 0.55 * t["au7"] - 0.75 * t["au6"] + 0.35 * t["au5"], 0.1)
    top, bottom = y + upper * arc, lower * arc - y
    opening = canvas.cover(-np.minimum(top, bottom))
    canvas.paint(opening, 0.5 + 0.45 * t["skin"])
    # Both eyes look in the same direction, while `side` mirrors them.
    gaze = x - t["gaze_x"] * np.sign(canvas.across)
    iris = ellipse(gaze, y + 0.01, 0.088, 0.088)
    canvas.paint(opening * canvas.cover((iris - 1.0) * 0.04), t["iris"])
    canvas.paint(opening * canvas.cover((ellipse(gaze, y + 0.01, 0.045, 0.045) - 1.0) * 0.02), 0.03)
    inside = np.clip((1.1 - np.abs(along)) * 8.0, 0.0, 1.0)
    lash = np.clip(1.0 - np.abs(top) / 0.045, 0.0, 1.0)
    canvas.darken(0.75 * lash * inside)
    canvas.darken(0.3 * np.clip(1.0 - np.abs(bottom) / 0.035, 0.0, 1.0) * inside)
    crease = top + 0.055 + 0.02 * t["au5"]
    canvas.line(crease, along * 0.9, 0.035, 0.25 * (1.0 - 0.7 * t["au4"]))
    _draw_cheeks(canvas, traits, x, y)


def _draw_cheeks(canvas: Canvas, traits: Traits, x: Floats, y: Floats) -> None:
    t = traits
    canvas.darken(-0.16 * t["au6"] * bump(ellipse(x - 0.04, y - 0.32, 0.24, 0.17)))
    bag = y - 0.13 + 0.25 * x * x
    canvas.line(bag, x / 0.18, 0.035, 0.28 * t["au6"] + 0.12 * t["age"])
    for slope in (-0.35, 0.25):
        feet = y - slope * (x - 0.15)
        canvas.line(feet, (x - 0.25) / 0.07, 0.025, 0.4 * t["au6"] * t["age"])


def draw_nose(canvas: Canvas, traits: Traits) -> None:
    """Draw the nose: AU9 wrinkles its bridge, lifts its wings and deepens the nasolabial folds."""
    t = traits
    tip = t["eye_height"] + 0.12 + t["nose_length"]
    bridge = canvas.down - (t["eye_height"] + tip) / 2
    ridge = bump(ellipse(canvas.across, bridge, 0.06, 0.22))
    canvas.darken(-0.12 * ridge)
    shade = bump(ellipse(canvas.across + 0.1 * np.sign(t["light_x"]), bridge, 0.07, 0.25))
    canvas.darken(0.35 * np.abs(t["light_x"]) * shade)
    lifted = tip - 0.055 * t["au9"] - 0.02 * t["au10"]
    width = t["nose_width"] * (1.0 + 0.2 * t["au9"] + 0.1 * t["au12"])
    nostril = ellipse(canvas.side - width * 0.6, canvas.down - lifted, 0.05, 0.035)
    canvas.darken(0.65 * bump(nostril))
    wing = canvas.side - width - 0.02 + 0.06 * np.abs(canvas.down - lifted + 0.05)
    canvas.line(wing, (canvas.down - lifted + 0.04) / 0.09, 0.03, 0.3 + 0.3 * t["au9"])
    canvas.darken(0.18 * bump(ellipse(canvas.across, canvas.down - tip - 0.06, 0.13, 0.06)))
    for level in (0.05, 0.13, 0.21):
        wrinkle = canvas.down - t["eye_height"] - level + 0.45 * canvas.side
        canvas.line(wrinkle, canvas.side / 0.13, 0.03, 0.6 * t["au9"])
    down = canvas.down - lifted
    fold = canvas.side - 0.19 - 0.6 * down + 0.7 * down * down - 0.05 * t["au12"]
    deep = np.maximum(0.75 * t["au9"], 0.55 * t["au12"]) + 0.2 * t["age"] + 0.3 * t["au10"]
    canvas.line(fold, (down - 0.1) / 0.24, 0.045, np.minimum(0.5 * deep, 0.5))


def draw_mouth(canvas: Canvas, traits: Traits) -> None:
    """Draw the mouth: AU12 raises the corners, AU15 lowers them, AU20 widens, AU25, AU26 open."""
    t = traits
    width = t["mouth_width"] * (1.0 + 0.38 * t["au12"] + 0.3 * t["au20"] - 0.25 * t["au23"])
    width = width * (1.0 - 0.28 * t["au26"] - 0.12 * t["au17"])
    middle = t["mouth_height"] - 0.03 * t["au12"] - 0.05 * t["au17"] + 0.05 * t["au26"]
    corner = t["mouth_rest"] - 0.16 * t["au12"] + 0.16 * t["au15"] + 0.05 * t["au20"]
    corner = corner * (1.0 + t["asymmetry"] * np.sign(canvas.across))
    along = canvas.across / width
    bow = along * along
    arc = np.maximum(1.0 - bow, 0.0)
    line = middle + corner * (bow - 0.35)
    y = canvas.down - line
    up = 0.03 * t["au25"] * (1.0 + t["au12"] + 0.8 * t["au20"]) + 0.09 * t["au26"]
    up = up + 0.05 * t["au10"] * t["au9"]
    low = t["au25"] * (0.045 + 0.08 * t["au12"] + 0.04 * t["au20"]) + 0.2 * t["au26"]
    lip = t["lip_thickness"] * (1.0 - 0.75 * t["au23"] - 0.25 * t["au12"])
    inside = canvas.cover((np.abs(along) - 1.0) * width)
    lips = np.minimum(y + (up + lip) * arc, (low + 1.3 * lip) * arc - y)
    canvas.paint(inside * canvas.cover(-lips), t["skin"] * t["lip_tone"] * t["exposure"] * 0.85)
    _draw_opening(canvas, traits, y, up * arc, low * arc, inside)
    seam = np.clip(1.0 - np.abs(y) / 0.03, 0.0, 1.0) * np.clip(1.0 - 8.0 * (up + low), 0.0, 1.0)
    canvas.darken(0.65 * seam * inside)
    ends = ellipse(np.abs(canvas.across) - width, canvas.down - middle - corner * 0.65, 0.06, 0.06)
    canvas.darken((0.3 + 0.25 * t["au12"] + 0.3 * t["au15"] + 0.2 * t["au20"]) * bump(ends))
    _draw_chin(canvas, traits, y - (low + 1.3 * lip) * (1.0 - bow * 0.3))


def _draw_opening(
    canvas: Canvas, traits: Traits, y: Floats, up: Floats, low: Floats, inside: Floats
) -> None:
    t = traits
    opening = inside * canvas.cover(-np.minimum(y + up, low - y)) * (up + low > 0.004)
    canvas.paint(opening, 0.07)
    teeth = np.clip(2.2 * np.maximum(t["au12"], t["au20"]) + t["au10"] - t["au26"], 0.0, 1.0)
    height = 0.04 + 0.06 * t["au12"] + 0.05 * t["au20"]
    band = canvas.cover(y + up - height) * opening
    canvas.paint(band * teeth * 0.9, 0.88 * np.minimum(t["exposure"], 1.1))
    tongue = bump(ellipse(canvas.across, y - low, 0.14, 0.1))
    canvas.paint(opening * tongue * 0.6, 0.3)


def _draw_chin(canvas: Canvas, traits: Traits, below: Floats) -> None:
    t = traits
    canvas.line(below - 0.07, canvas.across / 0.2, 0.05, 0.12 + 0.4 * t["au17"])
    dimples = bump(ellipse(canvas.across, below - 0.17, 0.13, 0.08))
    canvas.darken((0.25 * t["au17"] - 0.08) * dimples)
