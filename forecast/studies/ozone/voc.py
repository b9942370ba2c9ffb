"""Volatile organic compounds: reactivity with OH and ozone formation potential."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np
import pandas as pd

from hazecast.grids.errors import InputError

Units = Literal["ppb", "ug m-3"]
_GAS_CONSTANT, _BOLTZMANN = 8.314462618, 1.380649e-23
# Synonyms, as normalised by `_plain`.
_ALIASES = {
    "ethene": "ethylene",
    "propene": "propylene",
    "ethyne": "acetylene",
    "ibutane": "isobutane",
    "2methylpropane": "isobutane",
    "ipentane": "isopentane",
    "2methylbutane": "isopentane",
    "butane": "n-butane",
    "pentane": "n-pentane",
    "hexane": "n-hexane",
    "heptane": "n-heptane",
    "octane": "n-octane",
    "nonane": "n-nonane",
    "decane": "n-decane",
    "undecane": "n-undecane",
    "dodecane": "n-dodecane",
    "t2butene": "trans-2-butene",
    "c2butene": "cis-2-butene",
    "t2pentene": "trans-2-pentene",
    "c2pentene": "cis-2-pentene",
    "mxylene": "m,p-xylene",
    "pxylene": "m,p-xylene",
    "cumene": "isopropylbenzene",
    "ipropylbenzene": "isopropylbenzene",
    "2ethyltoluene": "o-ethyltoluene",
    "3ethyltoluene": "m-ethyltoluene",
    "4ethyltoluene": "p-ethyltoluene",
    "13diethylbenzene": "m-diethylbenzene",
    "14diethylbenzene": "p-diethylbenzene",
    "hcho": "formaldehyde",
    "mek": "2-butanone",
    "methylethylketone": "2-butanone",
    "propionaldehyde": "propanal",
    "isopropanol": "2-propanol",
    "2methylpropene": "isobutene",
    "isobutylene": "isobutene",
    "freon12": "dichlorodifluoromethane",
    "freon11": "trichlorofluoromethane",
    "freon113": "trichlorotrifluoroethane",
    "freon114": "dichlorotetrafluoroethane",
    "cfc12": "dichlorodifluoromethane",
    "cfc11": "trichlorofluoromethane",
    "cfc113": "trichlorotrifluoroethane",
    "cfc114": "dichlorotetrafluoroethane",
    "methylchloride": "chloromethane",
    "methylbromide": "bromomethane",
    "ethylchloride": "chloroethane",
    "methylenechloride": "dichloromethane",
    "trichloromethane": "chloroform",
    "tetrachloromethane": "carbon tetrachloride",
    "trichloroethene": "trichloroethylene",
    "tetrachloroethene": "tetrachloroethylene",
    "perchloroethylene": "tetrachloroethylene",
    "11dichloroethylene": "1,1-dichloroethene",
    "cis12dichloroethylene": "cis-1,2-dichloroethene",
    "trans12dichloroethylene": "trans-1,2-dichloroethene",
    "tribromomethane": "bromoform",
    "hexachloro13butadiene": "hexachlorobutadiene",
    "mtbe": "methyl tert-butyl ether",
    "methyltbutylether": "methyl tert-butyl ether",
    "thf": "tetrahydrofuran",
    "mibk": "4-methyl-2-pentanone",
    "methylisobutylketone": "4-methyl-2-pentanone",
    "butyraldehyde": "butanal",
    "valeraldehyde": "pentanal",
    "hexaldehyde": "hexanal",
    "2butenal": "crotonaldehyde",
    "transcrotonaldehyde": "crotonaldehyde",
    "123739": "crotonaldehyde",
    "mtolualdehyde": "m-tolualdehyde",
    "3methylbenzaldehyde": "m-tolualdehyde",
}


@dataclass(frozen=True)
class Reactivity:
    """Reactivity of samples of VOC.

    Attributes
    ----------
    ofp : pandas.DataFrame (sample, species)
        Ozone formation potential, ug m-3 of ozone: concentration times MIR (Carter 1994, J. Air Waste Manage.
        Assoc. 44:881). The ozone that the mixture could form at optimal NOx, not the ozone that it forms.
    oh_reactivity : pandas.DataFrame (sample, species)
        s-1: rate constant at 298 K times number density.
    concentration : pandas.DataFrame (sample, species)
        ppb.
    names : dict of str to str
        Column of the table to species.
    unknown : tuple of str
        Columns that match no known species; they are excluded from all sums.
    without_rate : tuple of str
        Species without a rate constant in the table; they are not in `oh_reactivity`.
    without_mir : tuple of str
        Species that Carter's table does not have; they are not in `ofp`.
    estimated_rate : tuple of str
        Species whose rate constant is a structure-activity estimate, not measured.
    """

    ofp: pd.DataFrame
    oh_reactivity: pd.DataFrame
    concentration: pd.DataFrame
    names: dict[str, str]
    unknown: tuple[str, ...]
    without_rate: tuple[str, ...]
    without_mir: tuple[str, ...] = ()
    estimated_rate: tuple[str, ...] = ()

    def ranking(self) -> pd.DataFrame:
        """Return mean ppb, OFP, OH reactivity and their shares for each species, the highest OFP first."""
        table = pd.DataFrame(
            {
                "group": species_table()["group"].reindex(self.concentration.columns),
                "ppb": self.concentration.mean(),
                "ofp": self.ofp.mean().reindex(self.concentration.columns),
                "oh_reactivity": self.oh_reactivity.mean().reindex(self.concentration.columns),
            }
        )
        table.index.name = "species"
        table["ofp_share"] = table["ofp"] / table["ofp"].sum()
        table["oh_share"] = table["oh_reactivity"] / table["oh_reactivity"].sum()
        return table.sort_values("ofp", ascending=False)


@lru_cache
def _species() -> pd.DataFrame:
    with (files("hazecast.forecast.studies.ozone") / "voc_species.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#", keep_default_na=True).set_index("name")


def species_table() -> pd.DataFrame:
    """Return the table of known species (name): ``cas formula molar_mass mir koh koh_source group chinese lists``, checks.

    ``mir`` is g O3 per g VOC (Carter 2010), NaN where his table has none; ``koh`` 1e-12 cm3 molecule-1 s-1 at 298 K, with
    ``koh_source`` A03 (Atkinson and Arey 2003), MCM (Master Chemical Mechanism 3.3.1) or AOPWIN (structure-activity estimate
    of EPA's program); ``mir_checked`` and ``koh_checked`` tell whether a second public table has the same value. ``lists``
    names those that hold the species: PAMS, TO-15, HJ 683.
    """
    return _species().copy()


def recognise(columns: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Identify the species of each column by English or Chinese name, synonym or CAS number.

    Returns
    -------
    names : dict of str to str
        Column to species.
    unknown : tuple of str
        Columns that match no known species.

    Raises
    ------
    InputError
        If two columns are the same species, except for m- and p-xylene, which share a row.
    """
    table = _species()
    known = {_plain(str(name)): str(name) for name in table.index}
    known |= dict(_ALIASES.items()) | {str(cas): str(name) for name, cas in table["cas"].items()}
    known |= {str(chinese): str(name) for name, chinese in table["chinese"].items()}
    names: dict[str, str] = {}
    unknown = []
    for column in map(str, columns):
        found = known.get(column.strip()) or known.get(_plain(column))
        if found is None:
            unknown.append(column)
            continue
        if found in names.values() and found != "m,p-xylene":
            other = next(name for name, species in names.items() if species == found)
            raise InputError(f"columns {other} and {column}", f"{found} twice", "each species once")
        names[column] = found
    return names, tuple(unknown)


def reactivity(
    concentration: pd.DataFrame, units: Units, *, kelvin: float = 298.15, hpa: float = 1013.25
) -> Reactivity:
    """Compute ozone formation potential and OH reactivity.

    Parameters
    ----------
    concentration : pandas.DataFrame (sample, species)
        NaN where missing.
    units : str
        ``ppb`` (of the compound, not of its carbon) or ``ug m-3``.
    kelvin, hpa : float
        Temperature and pressure of the reference state of volumes, K and hPa.

    Returns
    -------
    Reactivity
        By sample and species.

    Raises
    ------
    InputError
        If the units are others, no column is a known species, or a concentration is negative.
    """
    if units not in ("ppb", "ug m-3"):
        raise InputError("units", units, "ppb or ug m-3")
    names, unknown = recognise(concentration.columns)
    if not names:
        raise InputError("columns", list(concentration.columns), "names or CAS numbers of VOC")
    chosen = concentration[list(names)]
    if (chosen < 0).to_numpy().any():
        row, column = np.argwhere((chosen < 0).to_numpy())[0]
        raise InputError(f"{chosen.columns[column]}, sample {chosen.index[row]}", chosen.iloc[row, column], "0 or more")
    # m- and p-xylene may be two columns; min_count leaves missing values missing.
    merged = chosen.T.groupby(chosen.columns.map(names), sort=False).sum(min_count=1).T
    table = _species().loc[merged.columns]
    litre_per_mol = _GAS_CONSTANT * kelvin / hpa * 10
    ppb = merged if units == "ppb" else merged * litre_per_mol / table["molar_mass"]
    mass = ppb * table["molar_mass"] / litre_per_mol
    # Number density of 1 ppb, molecules cm-3.
    density = hpa * 100 / (_BOLTZMANN * kelvin) * 1e-9 * 1e-6
    rated, known = table["koh"].dropna(), table["mir"].dropna()
    return Reactivity(
        mass[known.index] * known,
        ppb[rated.index] * rated * 1e-12 * density,
        ppb,
        names,
        unknown,
        tuple(str(name) for name in table.index[table["koh"].isna()]),
        tuple(str(name) for name in table.index[table["mir"].isna()]),
        tuple(str(name) for name in table.index[table["koh_source"] == "AOPWIN"]),
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_,&/()'-]", "", name.lower())
