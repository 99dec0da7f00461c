"""The layer of a screen that never changes: backdrop, plates, labels, and what stands there only to distract."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from PIL import Image

from foureyes_actors.capture.cabinet.backdrops import backdrop
from foureyes_actors.capture.cabinet.canvas import Canvas
from foureyes_actors.capture.cabinet.layouts import CANVAS, Box, Cell, Layout, Slot
from foureyes_actors.capture.cabinet.machine import Machine
from foureyes_actors.capture.cabinet.plates import Plate
from foureyes_actors.capture.cabinet.symbols import RAMPS
from foureyes_actors.capture.cabinet.text import TextStyle
from foureyes_actors.capture.cabinet.theme import Theme
from foureyes_actors.messages import Field

BUTTON = Plate("pill", RAMPS["green"], RAMPS["gold"], edge=5, gloss=True)
PAYS = Plate("round", ((20, 20, 28), (8, 8, 12)), ((130, 120, 100),), radius=8, edge=2, opacity=0.8)
PAYS_TEXT = TextStyle(fill=((225, 225, 225),))


def scenery(machine: Machine, canvas: Canvas) -> Image.Image:
    """An RGB picture of the canvas's size."""
    theme, layout = machine.theme, machine.layout
    kind, colours = theme.backdrop
    image = backdrop(kind, colours, canvas.size, machine.key)
    if layout.reels[2] - layout.reels[0] < CANVAS[0] // 2 and layout.cells[Field.GRAND].plate[0] == layout.reels[0]:
        _column(image, canvas, layout)
    canvas.plate(image, theme.frame, _grown(layout.reels, 12))
    for name, cell in layout.cells.items():
        money = name is Field.BALANCE
        canvas.plate(image, theme.meter_plate if money else theme.plate, cell.plate)
        canvas.write(image, cell.label, theme.meter_label if money else theme.label, theme.labels[name])
    _meter_labels(image, canvas, theme, ((layout.bet, theme.bet), (layout.win, theme.win)))
    _furniture(image, machine, canvas)
    return image


def _column(image: Image.Image, canvas: Canvas, layout: Layout) -> None:
    """A screen that is taller than wide, with the backdrop left and right of it."""
    tower = Plate("plain", ((18, 14, 26), (6, 4, 10)), ((120, 110, 90),), edge=3)
    canvas.plate(image, tower, (layout.reels[0] - 14, -6, layout.reels[2] + 14, CANVAS[1] + 6))


def _meter_labels(image: Image.Image, canvas: Canvas, theme: Theme, meters: tuple[tuple[Cell, str], ...]) -> None:
    for cell, word in meters:
        canvas.plate(image, theme.meter_plate, cell.plate)
        canvas.write(image, cell.label, theme.meter_label, word)


def _furniture(image: Image.Image, machine: Machine, canvas: Canvas) -> None:
    theme, layout = machine.theme, machine.layout
    canvas.write(image, layout.title, theme.heading, theme.title)
    canvas.write(image, layout.lines, theme.small, theme.lines)
    if layout.button:
        canvas.plate(image, BUTTON, layout.button)
        style = replace(theme.small, face=theme.label.face, fill=((255, 255, 255),), outline=(20, 50, 10))
        canvas.write(image, Slot(_grown(layout.button, -10), 18), style, theme.button)
    if layout.note and theme.note:
        limit = machine.format.text(machine.stakes.seeds[1] * 3)
        canvas.write(image, layout.note, theme.small, f"MAJOR MUST HIT BY {limit}")
    if layout.pays:
        _pay_table(image, machine, canvas, layout.pays)


def _pay_table(image: Image.Image, machine: Machine, canvas: Canvas, box: Box) -> None:
    """Symbols and what five, four and three of them pay."""
    canvas.plate(image, PAYS, box)
    rng = Random(f"{machine.key}|pays")
    high = 58 if box[2] - box[0] < 250 else 48
    for row in range((box[3] - box[1] - 16) // high):
        top = box[1] + 8 + row * high
        canvas.symbol(image, machine.theme.symbols[row], (box[0] + 8, top, box[0] + 8 + high, top + high - 6))
        pay = rng.choice((1000, 500, 250, 200, 150, 100)) // (row + 1)
        text = f"5x {pay}   4x {max(2, pay // 5)}   3x {max(1, pay // 20)}"
        canvas.write(image, Slot((box[0] + high + 14, top, box[2] - 8, top + high - 6), 11, "left"), PAYS_TEXT, text)


def _grown(box: Box, by: int) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by
