package intel

// hosting are the networks of data centres, clouds and content networks.
// Sources: the largest entries (16,384 v4 addresses and more) of the
// data-centre list of github.com/X4BNet/lists_vpn (MIT, 2026-08-22) that rent
// out machines, without its access providers, carriers and universities; the
// hosters that Elastic's rule 3d086f43 names for device-registration phishing;
// hosters with 20 Tor exits and more among ordinary customers (from
// github.com/alireza-rezaee/tor-nodes, MIT). Names as of June 2026.
//
// Cloudflare, Fastly and Akamai stand here on purpose: they carry iCloud
// Private Relay, but also WARP, content networks and rented machines. An
// address of theirs is RELAY only when a table of ranges says so.
var hosting = []uint32{
	3223,   // Voxility LLP
	3842,   // InMotion Hosting, Inc.
	4694,   // IDC Frontier Inc.
	4851,   // HOST NETWORKS
	6724,   // Strato AG
	6939,   // Hurricane Electric LLC
	7203,   // Leaseweb USA, Inc.
	7489,   // HostUS
	7506,   // GMO Internet Group, Inc.
	7979,   // Servers.com, Inc.
	8455,   // atom86 BV
	8560,   // IONOS SE
	8972,   // Host Europe GmbH
	9370,   // SAKURA Internet Inc.
	9925,   // VDC Powerbase Hong Kong Data Centers Limited
	10297,  // eNET Inc.
	10439,  // CariNet, Inc.
	10929,  // eStruxture Data Centers Inc.
	11878,  // tzulo, inc.
	12586,  // GHOSTnet GmbH
	12824,  // home.pl S.A.
	12876,  // Scaleway SAS
	13213,  // UK-2 Limited
	13335,  // Cloudflare, Inc.
	13909,  // Techie Hosting, Inc.
	14061,  // DigitalOcean, LLC
	14127,  // Iland Internet Solutions Corporation
	14244,  // NSI Hosting
	14576,  // Hosting Solution Ltd.
	14618,  // Amazon.com, Inc.
	14956,  // RouterHosting LLC
	14992,  // NewtekOne, Inc.
	15083,  // Infolink Global Corporation
	15169,  // Google LLC
	15395,  // Rackspace Ltd.
	15497,  // 1 Cloud Lab s.r.o.
	15694,  // Atman Sp. z o.o.
	15919,  // Servicios de Hosting en Internet S.A.
	15967,  // Nazwa.pl Sp.z.o.o.
	16125,  // UAB Cherry Servers
	16276,  // OVH SAS
	16509,  // Amazon.com, Inc.
	16625,  // Akamai Technologies, Inc.
	16628,  // DedFiberCo
	17439,  // NTTCINS
	17881,  // Inet Hosting, Inc.
	18450,  // WebNX, Inc.
	18779,  // EGIHosting
	18978,  // Enzu Inc
	19148,  // Leaseweb USA, Inc.
	19318,  // Interserver, Inc
	19437,  // SECURED SERVERS LLC
	19531,  // Nodes Direct
	19844,  // SBA Edge, LLC
	19871,  // Network Solutions, LLC
	19969,  // Joe's Datacenter, LLC
	19994,  // Rackspace Hosting
	20021,  // Ntirety, Inc.
	20248,  // Take 2 Hosting, Inc.
	20454,  // SECURED SERVERS LLC
	20473,  // The Constant Company, LLC
	20738,  // Heart Internet limited
	20773,  // Host Europe GmbH
	20860,  // IOMART CLOUD SERVICES LIMITED
	20940,  // Akamai International B.V.
	21342,  // Akamai International B.V.
	21499,  // Host Europe GmbH
	21859,  // Zenlayer Inc
	22363,  // Powerhouse Management, Inc.
	22552,  // eSited Solutions
	22611,  // InMotion Hosting, Inc.
	22781,  // Strong Technology, LLC.
	22903,  // Databank Holdings, Ltd
	23033,  // Wowrack.com
	23342,  // Unitedlayer, Inc.
	23352,  // DEFT.COM
	23470,  // ReliableSite.Net LLC
	23881,  // UDomain Web Hosting Company Limited
	24319,  // Akamai Technologies, Inc.
	24679,  // kyberio GmbH
	24768,  // ALMOUROLTEC SERVICOS DE INFORMATICA E INTERNET LDA
	24806,  // INTERNET CZ, a.s.
	24940,  // Hetzner Online GmbH
	24958,  // CYBERFORT LIMITED
	24961,  // WIIT AG
	24971,  // MasterDC s.r.o.
	25291,  // SysEleven GmbH
	25369,  // Hydra Communications Ltd
	25820,  // IT7 Networks Inc
	26277,  // Las Vegas NV Datacenter
	26347,  // New Dream Network, LLC
	26496,  // GoDaddy.com, LLC
	26548,  // PureVoltage Hosting Inc.
	26978,  // Quality Technology Services, LLC
	27229,  // Webhosting.Net, Inc.
	27257,  // Webair Internet Development Company Inc.
	27284,  // Fourplex Telecom LLC
	27357,  // Rackspace Hosting
	27411,  // Leaseweb USA, Inc.
	27589,  // MOJOHOST
	28747,  // Easyhost BVBA
	28753,  // Leaseweb Deutschland GmbH
	29066,  // velia.net Internetdienste GmbH
	29182,  // JSC IOT
	29311,  // Solvinity B.V.
	29522,  // Cyber_Folks S.A.
	29550,  // Team Blue Carrier Limited
	29691,  // Nine Internet Solutions AG
	29748,  // Quality Technology Services, LLC
	29802,  // HIVELOCITY, Inc.
	29838,  // Atlantic Metro Communications II, Inc.
	30083,  // velia.net
	30475,  // Handy Networks, LLC
	30633,  // Leaseweb USA, Inc.
	30836,  // 23VNet Kft.
	31034,  // Aruba S.p.A.
	31103,  // Keyweb AG
	31898,  // Oracle Corporation
	32097,  // WholeSale Internet, Inc.
	32181,  // GigeNET
	32244,  // Liquid Web, L.L.C
	32400,  // Ntirety, Inc.
	32475,  // Internap Holding LLC
	32613,  // Leaseweb Canada Inc.
	33070,  // Rackspace Hosting
	33182,  // HostDime.com, Inc.
	33302,  // Data102
	33387,  // Nocix, LLC
	33724,  // VOLICO
	34011,  // Host Europe GmbH
	34164,  // Akamai International B.V.
	34989,  // ServeTheWorld AS
	35048,  // Biterika Group LLC
	35366,  // ISPpro Internet KG
	35415,  // Webzilla B.V.
	35470,  // Signet B.V.
	35540,  // OVH SAS
	35908,  // Krypt Technologies
	35916,  // MULTACOM CORPORATION
	35994,  // Akamai Technologies, Inc.
	36007,  // Kamatera, Inc.
	36183,  // Akamai Technologies, Inc.
	36236,  // NetActuate, Inc
	36351,  // IBM Cloud
	36352,  // HostPapa
	36666,  // GloboTech Communications
	37153,  // Xneelo (Pty) Ltd
	37518,  // Fiber Grid INC
	38001,  // NewMedia Express Pte Ltd
	38107,  // CDNetworks
	39020,  // Comvive Servidores S.L.
	39392,  // SH.cz s.r.o.
	39572,  // DataWeb Global Group B.V.
	39704,  // CJ2 Hosting B.V.
	39756,  // EASYHOST SRL
	40244,  // Turnkey Internet Inc.
	40676,  // Psychz Networks
	40861,  // Paradise Networks LLC
	41369,  // Valtti Kumppanit Oy
	42473,  // Anexia Cloud Solutions GmbH
	42532,  // SIA VEESP
	42612,  // DinaHosting S.L.
	42695,  // Cleura AB
	42708,  // GleSYS AB
	42730,  // EVANZO e-commerce GmbH
	42831,  // UK Dedicated Servers Limited
	43350,  // NForce Entertainment B.V.
	43541,  // VSHosting s.r.o.
	44050,  // Petersburg Internet Network ltd.
	44066,  // firstcolo GmbH
	44398,  // Itm8 A/S
	44901,  // Belcloud LTD
	45090,  // Shenzhen Tencent Computer Systems Company Limited
	45102,  // Alibaba (US) Technology Co., Ltd.
	45187,  // Rackspace.com Hong Kong Limited
	45577,  // Intervolve Pty Ltd
	45671,  // Servers Australia Pty. Ltd
	46261,  // QuickPacket, LLC
	46475,  // Limestone Networks, Inc.
	46562,  // Performive LLC
	46606,  // Unified Layer
	46844,  // Sharktech
	47447,  // 23M GmbH
	47544,  // IQ PL Sp. z o.o.
	47583,  // Hostinger International Limited
	48031,  // Ivanov Vitaliy Sergeevich
	48282,  // Hosting technology LTD
	49453,  // Global Layer B.V.
	49505,  // JSC Selectel
	49532,  // Eonix Corporation
	49544,  // i3D.net B.V
	49981,  // WorldStream B.V.
	50613,  // Advania Island ehf
	50673,  // Serverius Holding B.V.
	50926,  // AXARNET COMUNICACIONES, S.L.
	51167,  // Contabo GmbH
	51395,  // Datasource AG
	51430,  // AltusHost B.V.
	51765,  // Oy Crea Nova Hosting Solution Ltd
	51852,  // Private Layer INC
	52347,  // HOSTCLICK, de DUCA GRACIELA MIRTA
	52925,  // Ascenty Data Centers e Telecomunicacoes S/A
	53340,  // VegasNAP, LLC
	53667,  // FranTech Solutions
	53755,  // Input Output Flood LLC
	53850,  // GorillaServers, Inc.
	54113,  // Fastly, Inc.
	54290,  // HostPapa
	54489,  // CoreSpace, Inc.
	54641,  // InMotion Hosting, Inc.
	55286,  // B2 Net Solutions Inc.
	55293,  // A2 Hosting, Inc.
	55720,  // Gigabit Hosting Sdn Bhd
	55933,  // Cloudie Limited
	55967,  // Beijing Baidu Netcom Science and Technology Co., Ltd.
	55990,  // Huawei Cloud Service data center
	56630,  // Melbikomas UAB
	57043,  // HOSTKEY B.V.
	57169,  // EDIS GmbH
	57363,  // CDNvideo LLC
	57858,  // Angelnet Limited
	58065,  // Orion Network Limited
	58683,  // Rackspace.com Hong Kong Limited
	59067,  // Microsoft Mobile Alliance Internet Services Co., Ltd
	59253,  // LEASEWEB SINGAPORE PTE. LTD.
	59711,  // HZ Hosting Ltd
	60117,  // Host Sailor Ltd
	60404,  // The Infrastructure Group B.V.
	60781,  // LeaseWeb Netherlands B.V.
	61157,  // PlusServer GmbH
	61317,  // Hivelocity Inc
	62005,  // BlueVPS OU
	62240,  // Clouvider Limited
	62651,  // Strong Technology, LLC.
	62904,  // Eonix Corporation
	63018,  // Dedicated.com
	63119,  // Angelnet Limited
	63199,  // CDS Global Cloud Co., Ltd
	63473,  // HostHatch, LLC
	63949,  // Akamai Technologies, Inc.
	64249,  // Charles River Operation
	64286,  // LogicWeb Inc.
	132203, // Shenzhen Tencent Computer Systems Company Limited
	133296, // Web Werks India Pvt. Ltd.
	133499, // HostRoyale Technologies Pvt Ltd
	134351, // Leaseweb Japan K.K.
	134963, // Alibaba Cloud (Singapore) Private Limited
	135377, // UCLOUD INFORMATION TECHNOLOGY (HK) LIMITED
	136052, // PT Cloud Hosting Indonesia
	136258, // BrainStorm Network, Inc
	136557, // Host Universal Pty Ltd
	136907, // HUAWEI INTERNATIONAL PTE. LTD.
	137409, // GSL Networks Pty LTD
	141995, // Contabo Asia Private Limited
	197450, // Sunucun Bilgi Iletisim Teknolojileri ve Ticaret Ltd. Sti.
	197540, // netcup GmbH
	200000, // Hosting Ukraine LTD
	200019, // ALEXHOST SRL
	200088, // Artnet Sp. z o.o.
	200350, // Yandex.Cloud LLC
	200651, // FlokiNET ehf
	201011, // Core-Backbone GmbH
	201814, // MEVSPACE sp. z o.o.
	202015, // HZ Hosting Ltd
	202023, // SCALEWAY S.A.S.
	202053, // UpCloud Ltd
	202448, // MVPS LTD
	203020, // HostRoyale Technologies Pvt Ltd
	204287, // HostRoyale Technologies Pvt Ltd
	204601, // Zomro B.V.
	204957, // GREEN FLOID LLC
	205544, // LEASEWEB UK LIMITED
	207990, // HostRoyale Technologies Pvt Ltd
	211619, // MAXKO d.o.o.
	212317, // Hetzner Online GmbH
	213230, // Hetzner Online GmbH
	214036, // Ultahost, Inc.
	215540, // GLOBAL CONNECTIVITY SOLUTIONS LLP
	215859, // Hetzner Online GmbH
	216071, // SERVERS TECH FZCO
	262287, // Maxihost LTDA
	393406, // DigitalOcean, LLC
	393886, // Leaseweb USA, Inc.
	394380, // Leaseweb USA, Inc.
	394474, // WhiteLabelColo
	395092, // Shock Hosting LLC
	395111, // KVCHOSTING.COM LLC
	395954, // Leaseweb USA, Inc.
	396190, // Leaseweb USA, Inc.
	396362, // Leaseweb USA, Inc.
	396982, // Google LLC
	397373, // H4Y Technologies LLC
	398101, // GoDaddy.com, LLC
	399629, // BL Networks
	400940, // Railway
}
