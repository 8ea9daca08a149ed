package intel

import "github.com/cairn-itdr/cairn/internal/activity"

// numbers are autonomous systems whose every address is of one kind; hosting
// is in hosting.go. Names as in the AS table of June 2026. A network that
// carries several kinds stands under none of them but hosting.
var numbers = map[activity.NetworkKind][]uint32{
	// Networks that are mostly Tor exits: at least 20 exits, or one address in
	// 32, on networks of relay operators (counted from
	// github.com/alireza-rezaee/tor-nodes, MIT, 2026-08-22). Hosters with as many exits among
	// ordinary customers are hosting.
	activity.NetworkTor: {
		60729,  // Stiftung Erneuerbare Freiheit
		62744,  // Quintex Alliance Consulting
		198093, // Foreningen for digitala fri- och rattigheter
		205100, // F3 Netze e.V.
		208323, // Foundation for Applied Privacy
		215125, // Church of Cyberology
		396507, // Emerald Onion
		401401, // Unredacted Inc
		401720, // Unredacted Inc
	},
	// Networks that sell a way to hide behind them: consumer VPNs, wholesalers
	// whose ranges are mostly VPN exits, and the data-centre part of proxy
	// sellers. Sources: github.com/X4BNet/lists_vpn (MIT, input/vpn/ASN.txt and
	// remarks of its data-centre list), Elastic's rule 3d086f43, owner names.
	// The home and phone connections that proxy sellers rent out stand in no
	// list; they look like CONSUMER and MOBILE, and are.
	activity.NetworkVPN: {
		9009,   // M247 Europe SRL
		20448,  // Peace Communications LLC
		32751,  // Nuclearfallout Enterprises, Inc.
		39351,  // 31173 Services AB (Mullvad)
		50525,  // Privado
		60068,  // Datacamp Limited
		62371,  // Proton AG
		136787, // PacketHub S.A.
		141039, // PacketHub S.A.
		147049, // PacketHub S.A.
		152935, // PROXY VN TECHNOLOGY COMPANY LIMITED
		197200, // Key Proxy Limited
		198571, // 3xK Tech GmbH
		198605, // AVAST Software s.r.o. (SecureLine)
		199218, // Proton AG
		200373, // 3xK Tech GmbH
		206092, // F.N.S. HOLDINGS LIMITED (ExpressVPN)
		207137, // PacketHub S.A.
		208172, // Proton AG
		209043, // IPRoyal Services FZE LLC
		209854, // Cyberzone S.A. (Surfshark)
		212238, // Datacamp Limited
		272096, // PACKETHUB S.A.
		396319, // Oxylabs
		398075, // Red-Proxy, LLC
	},
	// Web gateways and security edges: whole companies leave through a few
	// addresses, often in another country. By owner name.
	activity.NetworkGateway: {
		7754,   // McAfee, LLC (Skyhigh)
		13150,  // CATO NETWORKS LTD
		13448,  // Forcepoint LLC
		14600,  // SKYHIGH SECURITY LLC
		22616,  // ZSCALER, INC.
		25605,  // Cisco OpenDNS, LLC
		36692,  // Cisco OpenDNS, LLC
		42465,  // Forcepoint UK Limited
		43251,  // Forcepoint Overseas Limited
		44444,  // Forcepoint UK Limited
		53444,  // ZSCALER, INC.
		53813,  // ZSCALER, INC.
		54538,  // PALO ALTO NETWORKS (Prisma Access)
		55256,  // Netskope Inc
		62044,  // Zscaler Switzerland GmbH
		62654,  // MENLO SECURITY, INC.
		62907,  // ZSCALER, INC.
		137922, // IBOSS Inc.
		138627, // Cato Networks, Inc.
		202276, // IBOSS, INC
		213176, // CHECK POINT SSE SOLUTIONS LTD
		396253, // iboss,inc
		396421, // PALO ALTO NETWORKS
		398391, // Check Point Software Technologies Inc. (Harmony SASE)
	},
	// Carriers whose network carries phones and nothing or little else: one
	// address is many subscribers, and changes within minutes. Carriers that
	// put homes on the same network are CONSUMER. By owner name.
	activity.NetworkMobile: {
		6167,   // Verizon Business (wireless)
		6614,   // T-Mobile USA, Inc.
		9605,   // NTT DOCOMO, INC.
		12958,  // T2 Mobile LLC
		13280,  // Three Ireland (Hutchison) limited
		15796,  // Salt Mobile SA
		16135,  // TURKCELL ILETISIM HIZMETLERI A.S.
		17924,  // Smartone Mobile communications Limited
		20057,  // AT&T Enterprises, LLC (mobility)
		20978,  // TT Mobil Iletisim Hizmetleri A.S
		21450,  // HOT Mobile Ltd.
		21928,  // T-Mobile USA, Inc.
		22394,  // Verizon Business (wireless)
		23693,  // PT. Telekomunikasi Selular
		23720,  // Rakuten Mobile, Inc.
		24158,  // Taiwan Mobile Co., Ltd.
		24389,  // grameenphone limited
		25106,  // Mobile TeleSystems JLLC
		25135,  // Vodafone Limited
		27831,  // Colombia Movil
		28403,  // RadioMovil Dipsa, S.A. de C.V.
		29180,  // Telefonica UK Limited
		35228,  // Telefonica UK Limited
		36873,  // Airtel Networks Limited
		36926,  // Airtel Networks Kenya Limited
		37069,  // The Egyptian Company for Mobile Services (Mobinil)
		37075,  // Airtel Uganda Limited
		37133,  // Airtel Tanzania
		37140,  // Airtel Ghana Limited
		38266,  // Vodafone Idea Ltd. (VIL)
		43766,  // Mobile Telecommunication Company Saudi Arabia
		44034,  // Hi3G Access AB
		44244,  // Iran Cell Service and Communication Company
		45143,  // Singapore Telecom Mobile Pte Ltd
		45271,  // Vodafone Idea Ltd. (VIL)
		45609,  // Bharti Airtel Limited
		45669,  // Mobilink GSM, Pakistan Mobile Communication Ltd.
		51207,  // Free Mobile SAS
		55410,  // Vodafone Idea Ltd. (VIL)
		55836,  // Reliance Jio Infocomm Limited
		137872, // China Mobile Hong Kong Company Limited
		138384, // Rakuten Mobile, Inc.
		197207, // Mobile Communication Company of Iran PLC
		206067, // Hutchison 3G UK Limited
	},
	// Satellite and in-flight: country and city are those of the ground
	// station. By owner name.
	activity.NetworkSatellite: {
		800,    // OneWeb
		1358,   // Hughes Network Systems, LLC
		4913,   // Speedcast Communications, Inc
		5377,   // Marlink AS
		6621,   // Hughes Network Systems, LLC
		7155,   // ViaSat,Inc.
		8264,   // Marlink AS
		11167,  // Gogo Business Aviation LLC
		12440,  // Hughes Network Systems GmbH
		12684,  // SES ASTRA S.A.
		14593,  // Space Exploration Technologies Corporation
		16491,  // ViaSat, Inc.
		22351,  // INTELSAT GLOBAL SERVICE CORPORATION
		25222,  // Inmarsat Solutions B.V.
		27277,  // Space Exploration Technologies Corporation
		29286,  // SKYLOGIC S.P.A.
		31515,  // Inmarsat Global Limited
		31753,  // Inmarsat Government
		32034,  // SPEEDCAST LATAM INC.
		37472,  // Nigerian Communications Satellite Ltd
		38456,  // SpeedCast Pacific Pty Limited
		40306,  // ViaSat,Inc.
		60725,  // SES ASTRA S.A.
		63062,  // Hughes Network Systems
		64294,  // Panasonic Avionics Corporation
		135409, // Kacific Broadband Satellites Pte Ltd
		394603, // Panasonic Avionics Corporation
		400110, // Anuvu Operations LLC
	},
	activity.NetworkHosting: hosting,
}
